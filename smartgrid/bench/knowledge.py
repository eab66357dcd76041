"""``bench knowledge``: are the right pages found, are other questions refused, how long does it take?"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import mean, median
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pypdf import PdfReader

from knowledge.embedding import InstalledModel, install_model
from knowledge.index import Index, open_index
from knowledge.ingest import ingest_paths, rebuild
from knowledge.latent import Latent
from knowledge.words import words
from smartgrid.bench.knowledge_baselines import (
    Answer,
    DenseBaseline,
    System,
    WordsBaseline,
    fixed_pieces,
)
from smartgrid.errors import ScenarioError

TOP: Final = 10
KINDS: Final = ("identifier", "near", "paraphrase")
HELD: Final = 0.95
"""Share of a passage's words that its cited pages must hold, in the text as pypdf alone extracts it."""

Split = Literal["tune", "judge"]


class Gold(BaseModel):
    """Where an answer stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: str
    pages: tuple[int, ...]


class Question(BaseModel):
    """One question of the benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    split: Split
    kind: Literal["identifier", "near", "paraphrase", "unanswerable"]
    question: str
    gold: tuple[Gold, ...]


@dataclass(frozen=True, slots=True)
class KindScore:
    """How the questions of one kind fared.

    Attributes:
        questions: how many.
        recall_1: share with a gold page in the first passage.
        recall_5: share with one in the first five.
        mrr: mean of one over the rank of the first right passage, among ten.
    """

    questions: int
    recall_1: float
    recall_5: float
    mrr: float


@dataclass(frozen=True, slots=True)
class SystemResult:
    """One row of the benchmark.

    Attributes:
        name: of the system.
        kinds: by kind of question, and ``all`` that have an answer.
        citations_right: of the hits, the share whose cited pages hold the passage and the answer.
        citations_exact: of the hits, the share that cite no page but those of the answer.
        refused_right: share of the questions without an answer that were refused.
        refused_wrong: share of the others.
        p50_ms: of a query.
        p95_ms: of a query.
        ingest_s: seconds of ingesting 1,000 pages, the embedding included; None for the references.
    """

    name: str
    kinds: dict[str, KindScore]
    citations_right: float
    citations_exact: float
    refused_right: float
    refused_wrong: float
    p50_ms: float
    p95_ms: float
    ingest_s: float | None


class _Ours:
    """The index as the product uses it."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def search(self, question: str, top: int) -> list[Answer]:
        return [Answer(one.document, one.pages, one.text) for one in self._index.search(question, top)]


def load_questions(split: Split) -> list[Question]:
    """The questions that ship with the product."""
    text = (files("smartgrid.bench") / "knowledge_questions.json").read_text(encoding="utf-8")
    return [one for one in TypeAdapter(list[Question]).validate_json(text) if one.split == split]


def bench_knowledge(
    data: Path, model: Path | None, scratch: Path, split: Split, say: Callable[[str], None]
) -> list[SystemResult]:
    """Run all rows.

    Args:
        data: folder with ``pdfs/``.
        model: folder of a sentence-embedding model; without it no row uses one.
        scratch: an empty folder for the indexes.
        split: the part of the questions; figures are on ``judge``.
        say: told what is done.

    Raises:
        ScenarioError: when a document of the questions is missing.
    """
    pdfs = sorted((data / "pdfs").glob("*.pdf"))
    questions = load_questions(split)
    missing = {gold.document for one in questions for gold in one.gold} - {path.name for path in pdfs}
    if missing:
        raise ScenarioError(f"{data / 'pdfs'} lacks {', '.join(sorted(missing))}, which the questions need")
    judge = _Judge(questions, _page_words(pdfs))
    say("reading and indexing the documents")
    pages, seconds = (
        sum(map(len, judge.page_words.values())),
        _seconds(lambda: ingest_paths(pdfs, scratch / "a")),
    )
    rows = [
        _told(judge.judge("this index, no model", _Ours(_open(scratch / "a")), seconds / pages * 1000), say)
    ]
    installed = None
    if model is not None:
        say("embedding the passages")
        shutil.copytree(scratch / "a", scratch / "b")
        installed = install_model(scratch / "b", model)
        seconds += _seconds(lambda: rebuild(scratch / "b"))
        ours = judge.judge("this index, with the model", _Ours(_open(scratch / "b")), seconds / pages * 1000)
        rows.append(_told(ours, say))
    say("the references")
    return rows + [
        _told(judge.judge(name, system, None), say) for name, system in _references(pdfs, installed)
    ]


def _told(result: SystemResult, say: Callable[[str], None]) -> SystemResult:
    found = (f"{kind} {score.recall_1:.2f}/{score.recall_5:.2f}" for kind, score in result.kinds.items())
    say(f"{result.name}: recall@1/@5 {', '.join(found)}; {result.p50_ms:.1f} ms a query")
    return result


def _references(pdfs: Sequence[Path], model: InstalledModel | None) -> Iterator[tuple[str, System]]:
    pieces = fixed_pieces(pdfs)
    yield "BM25 alone, fixed pieces", WordsBaseline(pieces)
    yield "Chroma, LSA, fixed pieces", DenseBaseline(pieces, Latent.learn([piece.text for piece in pieces]))
    if model is not None:
        yield "Chroma, the model, fixed pieces", DenseBaseline(pieces, model.model)


@dataclass(frozen=True)
class _Judge:
    """Questions, and what stands on each page.

    Attributes:
        page_words: by document, the words of each page as pypdf alone extracts them.
    """

    questions: Sequence[Question]
    page_words: dict[str, list[set[str]]]

    def judge(self, name: str, system: System, ingest_s: float | None) -> SystemResult:
        """Ask a system everything."""
        system.search(self.questions[0].question, TOP)  # loads it
        ranks: dict[str, list[int]] = {kind: [] for kind in (*KINDS, "all")}
        hits: list[tuple[Question, Answer]] = []
        refused: dict[bool, list[bool]] = {True: [], False: []}
        milliseconds = []
        for question in self.questions:
            start = time.perf_counter()
            answers = system.search(question.question, TOP)
            milliseconds.append((time.perf_counter() - start) * 1000)
            refused[bool(question.gold)].append(not answers)
            if question.gold:
                rank = first_hit(question, answers)
                for kind in (question.kind, "all"):
                    ranks[kind].append(rank)
                if rank <= 5:
                    hits.append((question, answers[rank - 1]))
        return SystemResult(
            name=name,
            kinds={kind: _kind_score(some) for kind, some in ranks.items()},
            citations_right=_share([self._holds(answer) for _, answer in hits]),
            citations_exact=_share([set(answer.pages) <= _gold_pages(one, answer) for one, answer in hits]),
            refused_right=_share(refused[False]),
            refused_wrong=_share(refused[True]),
            p50_ms=median(milliseconds),
            p95_ms=float(np.percentile(milliseconds, 95)),
            ingest_s=ingest_s,
        )

    def _holds(self, answer: Answer) -> bool:
        """Whether the cited pages hold the passage, and none of them is cited in vain."""
        pages = [self.page_words[answer.document][page - 1] for page in answer.pages]
        said = set(words(answer.text))
        return len(said & set().union(*pages)) >= HELD * len(said) and all(page & said for page in pages)


def first_hit(question: Question, answers: Sequence[Answer]) -> int:
    """Rank of the first answer that cites a gold page; a large number when there is none."""
    for rank, answer in enumerate(answers, start=1):
        if set(answer.pages) & _gold_pages(question, answer):
            return rank
    return 10**6


def _gold_pages(question: Question, answer: Answer) -> set[int]:
    return {page for gold in question.gold if gold.document == answer.document for page in gold.pages}


def _kind_score(ranks: Sequence[int]) -> KindScore:
    return KindScore(
        questions=len(ranks),
        recall_1=_share([rank == 1 for rank in ranks]),
        recall_5=_share([rank <= 5 for rank in ranks]),
        mrr=mean(1 / rank if rank <= TOP else 0.0 for rank in ranks) if ranks else float("nan"),
    )


def _share(ones: Sequence[bool]) -> float:
    return sum(ones) / len(ones) if ones else float("nan")


def _page_words(pdfs: Sequence[Path]) -> dict[str, list[set[str]]]:
    return {path.name: [set(words(page.extract_text())) for page in PdfReader(path).pages] for path in pdfs}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _open(directory: Path) -> Index:
    index = open_index(directory)
    if index is None:
        raise ScenarioError(f"{directory}: nothing was ingested")
    return index


def document(results: Sequence[SystemResult]) -> list[dict[str, object]]:
    """For JSON."""
    return [json.loads(TypeAdapter(SystemResult).dump_json(result)) for result in results]
