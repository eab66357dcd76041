"""A question's concepts: its words, each with what the trade says for it."""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from knowledge.everyday import everyday
from knowledge.lexical import LexicalIndex, Scores
from knowledge.synonyms import SYNONYMS
from knowledge.words import STOP_WORDS, stem, words

Phrase = tuple[str, ...]
NAME = re.compile(r"\b[A-Za-z]*[A-Z]\w*\b")
PROPER = re.compile(r"(?<=[a-z0-9,;:] )[A-Z][a-z]{2,}\b")
"""A name in the midst of a sentence (Kenya), where a capital is no sentence's first."""
SYNONYM = 0.7
"""What a synonym counts beside the word itself."""
PLAIN = 0.7
"""What a document's term counts beside the plain word that the question has for it."""
LONGEST_PHRASE = 6


@dataclass(frozen=True, slots=True)
class Concept:
    """Words of the question that mean one thing.

    Attributes:
        own: their stems, stop words left out.
        others: phrases that stand for them.
        term: for a term of the trade in several words, it and its synonyms as written; else empty.
        plainly: phrases that documents have for these plain words.
    """

    own: Phrase
    others: tuple[Phrase, ...] = ()
    term: tuple[str, ...] = ()
    plainly: tuple[Phrase, ...] = ()


def concepts(question: str, *, plainly: bool = False) -> list[Concept]:
    """Split a question into concepts; the longest phrases that are known first.

    Args:
        question: any text.
        plainly: whether its plain words stand for what documents say for them, too.
    """
    plain = _plain_table() if plainly else {}
    found: list[Concept] = []
    for own, phrase, length in _split(question, _table().keys() | plain.keys()):
        same = _table().get(phrase, ())
        others = tuple(content for other in same if (content := _content(other)))
        terms = plain.get(phrase, ())
        if own or others or terms:
            found.append(Concept(own, others, term=same if length > 1 else (), plainly=terms))
    return list(dict.fromkeys(found))


def _split(question: str, table: Container[Phrase]) -> Iterator[tuple[Phrase, Phrase, int]]:
    """Of each phrase of the table, the longest first, and each word beside them: content, stems, length."""
    tokens = words(question)
    whole = [stem(word) for word in tokens]
    at = 0
    while at < len(tokens):
        lengths = range(min(LONGEST_PHRASE, len(whole) - at), 0, -1)
        length = next((n for n in lengths if tuple(whole[at : at + n]) in table), 1)
        phrase = tuple(whole[at : at + length])
        content = zip(phrase, tokens[at : at + length], strict=True)
        yield tuple(s for s, word in content if word not in STOP_WORDS), phrase, length
        at += length


@lru_cache(maxsize=1)
def _table() -> dict[Phrase, tuple[str, ...]]:
    """By phrase in stems: it and the phrases that stand for it, as written."""
    table: dict[Phrase, dict[str, None]] = {}
    for group in SYNONYMS:
        for phrase in sorted(group):
            table.setdefault(_stemmed(phrase), {}).update(dict.fromkeys((phrase, *sorted(group))))
    return {key: tuple(same) for key, same in table.items()}


@lru_cache(maxsize=1)
def _plain_table() -> dict[Phrase, tuple[Phrase, ...]]:
    """By plain phrase in stems: the stems of what documents say for it."""
    table: dict[Phrase, dict[Phrase, None]] = {}
    for plain, terms in everyday():
        for phrase in plain:
            table.setdefault(_stemmed(phrase), {}).update(
                dict.fromkeys(c for term in terms if (c := _content(term)))
            )
    return {key: tuple(terms) for key, terms in table.items()}


def _stemmed(phrase: str) -> Phrase:
    return tuple(stem(word) for word in words(phrase))


def _content(phrase: str) -> Phrase:
    return tuple(stem(word) for word in words(phrase) if word not in STOP_WORDS)


@dataclass(frozen=True)
class Corpus:
    """All that the documents say, for telling what they never speak of.

    Attributes:
        lexical: the index of their stems.
        text: all of it, in lower case.
    """

    lexical: LexicalIndex
    text: str

    def names(self, question: str) -> tuple[str, ...]:
        """Names in a question: two capitals, or capitals with digits (PJM, CPS1)."""
        names = [name for name in NAME.findall(question) if sum(map(str.isupper, name)) > 1]
        capitals = len(names) > len(question.split()) / 2
        return () if capitals else tuple(names)

    def strangers(self, question: str) -> tuple[str, ...]:
        """Names, places and terms of the trade in a question that no document has."""
        names = (
            name for name in (*self.names(question), *PROPER.findall(question))
            if not all(self.lexical.knows(stem(word)) for word in words(name))
        )  # fmt: skip
        terms = (
            concept.term[0] for concept in concepts(question)
            if concept.term and not any(phrase in self.text for phrase in concept.term)
        )  # fmt: skip
        return (*names, *terms)


@dataclass(frozen=True, slots=True)
class LexicalMatch:
    """How well each chunk matches a question's words.

    Attributes:
        share: of the question's weight that a chunk holds, 0 to 1.
        known: share of the question's weight that any chunk holds at all; one where it has no words.
    """

    share: Scores
    known: float


def match(index: LexicalIndex, wanted: Iterable[Concept]) -> LexicalMatch:
    """Score all chunks for a question's concepts."""
    total = np.zeros(index.count, dtype=np.float32)
    weight = known = 0.0
    for concept in wanted:
        own_weight = sum(index.idf(s) for s in concept.own) or index.unknown_idf / 2
        share = np.zeros(index.count, dtype=np.float32)
        for phrase, worth in _phrases(concept):
            np.maximum(share, worth * phrase_share(index, phrase), out=share)
        total += own_weight * share
        weight += own_weight
        known += own_weight * float(share.max(initial=0.0) > 0)
    return LexicalMatch(total / weight, known / weight) if weight else LexicalMatch(total, 1.0)


def _phrases(concept: Concept) -> Iterator[tuple[Phrase, float]]:
    if concept.own:
        yield concept.own, 1.0
    for other in concept.others:
        yield other, SYNONYM
    for term in concept.plainly:
        yield term, PLAIN


def phrase_share(index: LexicalIndex, phrase: Phrase) -> Scores:
    """How much of a phrase each chunk holds, 0 to 1."""
    total = np.zeros(index.count, dtype=np.float32)
    for one in phrase:
        total += index.scores(one)
    return total / np.float32(sum(index.idf(one) for one in phrase))
