"""The measures of ``bench knowledge``."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from smartgrid.bench.knowledge import (
    Gold,
    Question,
    SystemResult,
    _Judge,
    bench_knowledge,
    first_hit,
    load_questions,
)
from smartgrid.bench.knowledge_baselines import Answer, WordsBaseline, fixed_pieces
from smartgrid.errors import ScenarioError

RIGHT = Answer("a.pdf", (3,), "alpha beta")
WRONG = Answer("a.pdf", (9,), "gamma")
OTHER = Answer("b.pdf", (3,), "alpha")
PAGES: dict[str, list[set[str]]] = {
    "a.pdf": [set(), set(), {"alpha", "beta"}, {"delta"}, *({"gamma"} for _ in range(5))],
    "b.pdf": [set(), set(), set()],
}


def question(name: str, kind: str = "near", pages: tuple[int, ...] = (3,)) -> Question:
    gold = () if kind == "unanswerable" else (Gold(document="a.pdf", pages=pages),)
    return Question(id=name, split="judge", kind=kind, question=name, gold=gold)


class Canned:
    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        self.answers = answers

    def search(self, question: str, top: int) -> list[Answer]:
        return self.answers[question][:top]


def test_a_hit_needs_document_and_page() -> None:
    assert first_hit(question("q"), [OTHER, WRONG, RIGHT]) == 3
    assert first_hit(question("q"), [OTHER, WRONG]) > 1000


def judged(answers: dict[str, list[Answer]], questions: Sequence[Question]) -> SystemResult:
    return _Judge(questions, PAGES).judge("canned", Canned(answers), None)


def test_recall_and_reciprocal_rank_are_counted_by_kind() -> None:
    questions = [question("a"), question("b"), question("c", "paraphrase"), question("d", "identifier")]
    result = judged({"a": [RIGHT], "b": [WRONG, RIGHT], "c": [WRONG] * 5 + [RIGHT], "d": []}, questions)
    near, all_kinds = result.kinds["near"], result.kinds["all"]
    assert (near.questions, near.recall_1, near.recall_5, near.mrr) == (2, 0.5, 1.0, 0.75)
    assert result.kinds["paraphrase"].recall_5 == 0.0
    assert result.kinds["paraphrase"].mrr == pytest.approx(1 / 6)
    assert (all_kinds.questions, all_kinds.recall_5) == (4, 0.5)


def test_refusals_are_right_where_there_is_no_answer_and_wrong_elsewhere() -> None:
    questions = [question("a"), question("b"), question("u", "unanswerable"), question("v", "unanswerable")]
    result = judged({"a": [RIGHT], "b": [], "u": [], "v": [WRONG]}, questions)
    assert (result.refused_right, result.refused_wrong) == (0.5, 0.5)


def test_a_citation_is_right_only_if_its_pages_hold_the_passage() -> None:
    questions = [question("a"), question("b"), question("c"), question("d")]
    answers = {
        "a": [RIGHT],
        "b": [Answer("a.pdf", (3,), "alpha epsilon")],
        "c": [Answer("a.pdf", (3, 4), "alpha beta")],
        "d": [Answer("a.pdf", (3, 4), "alpha delta")],
    }
    result = judged(answers, questions)
    assert result.citations_right == 0.5
    assert result.citations_exact == 0.5


def test_pieces_of_fixed_size_know_their_pages(make_pdf: Callable[..., Path]) -> None:
    page = "\n".join(f"word{at} of the first page, which goes on for a while" for at in range(25))
    pieces = fixed_pieces([make_pdf("a.pdf", page, "zebra on the second page")])
    assert pieces[0].pages == (1,)
    assert pieces[-1].pages[-1] == 2
    assert WordsBaseline(pieces).search("the zebra", 1)[0] == pieces[-1]


def test_questions_name_documents_that_must_be_there(tmp_path: Path) -> None:
    assert len(load_questions("judge")) > 50
    (tmp_path / "pdfs").mkdir()
    with pytest.raises(ScenarioError, match="lacks FERC"):
        bench_knowledge(tmp_path, None, tmp_path / "scratch", "judge", lambda _step: None)
