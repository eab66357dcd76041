"""Puts chunks in order: which evidence counts depends on the kind of question.

Identifiers are looked up, not searched. Near wordings want words; paraphrases want meaning, and plain
fusion of the two hurts both. How well the best chunk holds the question's words tells them apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge.chunk import Chunk, Kind
from knowledge.digest import is_digest
from knowledge.identifiers import Identifiers
from knowledge.places import Found
from knowledge.query import LexicalMatch

Floats = NDArray[np.float32]

PRIOR: Final[dict[Kind, float]] = {
    "requirement": 1.0,
    "text": 1.0,
    "guidance": 0.95,
    "measure": 0.9,
    "front": 0.85,
    "severity": 0.8,
    "footnote": 0.8,
}
"""A provision before what is said about it."""
BESIDE_OFFICIAL: Final = 0.7
"""What a digest counts where the official text of the same standard or order, in any version, is there."""
NEAR: Final = (0.25, 0.45)
"""Share of a question's words in the best chunk: up to the first a paraphrase, from the second on near."""
WORDS: Final = (0.5, 0.75)
"""What words count, out of one, for a paraphrase and for a near wording; with an embedding model."""
WORDS_LEARNT: Final = (0.9, 0.9)
"""The same where meaning is what the corpus taught."""
CROWD, CROWD_LEARNT = 0.015, 0.035
"""What a cosine loses for each standard deviation that a document's best passage wins by their number alone.

Of n passages the best wins sqrt(2 ln n) by chance: without this, long documents drown short ones.
"""
PLACE: Final = 0.6
"""What being the place named counts, beside the rest of the question."""
LEAST_PLACE: Final = 0.5
MENTION: Final = 0.3
LEAST_SHARE: Final = 0.35
"""Share of a question's words that a passage must hold where the thing named is not in the index itself.

These limits keep the questions apart that the benchmark's tuning part marks as answerable or not.
"""
LEAST_NAMED: Final = 0.2
"""The same where a name is known, yet may stand beside other matters."""
LEAST_KNOWN: Final = 0.3
"""Share of a question's weight whose words some document has."""
LEAST_SCORE: Final = 0.12
"""A best passage below it is not worth showing."""
LEAST_COSINE: Final = 0.2
"""Below it a sentence model sees no relation."""
LATER: Final = 0.2
"""What being the last passage costs where a question names a place and asks nothing of it."""
SAME_PAGE: Final = 0.9
"""What a further chunk of pages that are already cited counts."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of every chunk's relevance to one question.

    Attributes:
        named: identifiers of the question.
        found: where they stand; None where it names nothing.
        own: how well each chunk holds its words.
        lexical: the same, of what documents say for them where they are plain words.
        cosine: of the vectors.
        with_model: whether the vectors are those of a sentence-embedding model.
        names: names in the question (PJM, CPS1), known or not.
        strangers: names and terms of the trade in it that no document has.
        inside: the chunks that may answer; None for all.
        bare: whether it is nothing but identifiers.
    """

    named: Identifiers
    found: Found | None
    own: LexicalMatch
    lexical: LexicalMatch
    cosine: Floats
    with_model: bool
    names: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    inside: NDArray[np.bool_] | None = None
    bare: bool = False


class Ranker:
    """Orders the chunks of one index."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._prior = np.array([PRIOR[chunk.kind] for chunk in chunks], dtype=np.float32)
        self._prior[_second_hand(chunks)] *= BESIDE_OFFICIAL
        sizes = Counter(chunk.document for chunk in chunks)
        counts = np.array([sizes[chunk.document] for chunk in chunks], dtype=np.float32)
        self._crowd: Floats = np.sqrt(2 * np.log(counts))
        ahead = np.linspace(1.0, 1.0 - LATER, max(1, len(chunks)), dtype=np.float32)
        self._in_order: Floats = self._prior * ahead
        self._pages = [{(chunk.document, page) for page in chunk.pages} for chunk in chunks]
        self._on_page: dict[tuple[str, int], list[int]] = {}
        for at, pages in enumerate(self._pages):
            for page in pages:
                self._on_page.setdefault(page, []).append(at)

    def relevance(self, evidence: Evidence) -> Floats | None:
        """Relevance of every chunk, 0 to 1; None when nothing relevant is there."""
        matter = self._matter(evidence)
        scores = matter if evidence.found is None else _placed(evidence, evidence.found, matter)
        looked_up = evidence.found is not None and evidence.named.names_place
        if scores is None or (not looked_up and _unanswerable(evidence)):
            return None
        inside = scores if evidence.inside is None else scores * evidence.inside
        return inside if inside.max(initial=0.0) >= LEAST_SCORE else None

    def best(self, scores: Floats, top: int) -> list[tuple[int, float]]:
        """The best chunks with their scores, best first; others of the same pages give way a little."""
        left = scores.astype(np.float64)
        chosen: list[tuple[int, float]] = []
        while len(chosen) < top and (score := float(left.max(initial=0.0))) > 0:
            at = int(left.argmax())
            chosen.append((at, score))
            left[list({other for page in self._pages[at] for other in self._on_page[page]})] *= SAME_PAGE
            left[at] = 0.0
        return chosen

    def _matter(self, evidence: Evidence) -> Floats:
        """Words and meaning, mixed by how near the question is to the text; a provision before comments."""
        if evidence.bare:
            return self._in_order
        share = evidence.lexical.share
        low, high = NEAR
        near = float(np.clip((share.max(initial=0.0) - low) / (high - low), 0.0, 1.0))
        of_paraphrase, of_near = WORDS if evidence.with_model else WORDS_LEARNT
        words = np.float32(of_paraphrase + near * (of_near - of_paraphrase))
        crowd = np.float32(CROWD if evidence.with_model else CROWD_LEARNT) * self._crowd
        meaning = np.clip(evidence.cosine - crowd, 0.0, 1.0).astype(np.float32)
        matter: Floats = (words * share + (1 - words) * meaning) * self._prior
        return matter


def _second_hand(chunks: Sequence[Chunk]) -> NDArray[np.bool_]:
    """Which chunks are of a digest whose official text is there."""
    official = {_matter_of(chunk) for chunk in chunks if not is_digest(chunk.document)} - {""}
    return np.array([is_digest(one.document) and _matter_of(one) in official for one in chunks], dtype=bool)


def _matter_of(chunk: Chunk) -> str:
    """Standard or order without its version."""
    return "-".join(chunk.standard.split("-")[:2]) or chunk.order


def _placed(evidence: Evidence, found: Found, matter: Floats) -> Floats | None:
    """Scores with the identifiers taken into account; None where what is named is not there."""
    named = evidence.named
    if named.names_document and not found.document.any():
        return _mentioning(evidence, found, matter)
    within = np.where(found.document > 0, found.place, np.float32(0))
    if named.names_place and within.max(initial=0.0) >= LEAST_PLACE:
        near: Floats = (within / within.max()).astype(np.float32)
        placed: Floats = found.document * (PLACE * near + (1 - PLACE) * matter)
        return np.where(near > LEAST_PLACE, placed, np.float32(0))
    if named.names_place and named.names_document:
        return None  # that document has no such place
    return found.document * matter


def _mentioning(evidence: Evidence, found: Found, matter: Floats) -> Floats | None:
    """Chunks that speak of a document which is not here itself, if they hold the rest of the question too."""
    if evidence.named.names_place:
        return None
    asked = evidence.lexical.share
    speaking = found.mentions & (asked >= LEAST_SHARE) if asked.any() else found.mentions
    return np.where(speaking, MENTION + (1 - MENTION) * matter, np.float32(0)) if speaking.any() else None


def _unanswerable(evidence: Evidence) -> bool:
    """Whether the question's words and meaning are strange to all documents."""
    share = float(evidence.own.share.max(initial=0.0))
    cosine = float(evidence.cosine.max(initial=0.0))
    if (evidence.strangers and share < LEAST_SHARE) or (evidence.names and share < LEAST_NAMED):
        return True
    return evidence.lexical.known < LEAST_KNOWN or (evidence.with_model and cosine < LEAST_COSINE)
