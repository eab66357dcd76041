"""Finds what a question names exactly: a document, and a place within it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.chunk import Chunk
from knowledge.identifiers import (
    DOCKET,
    ORDER,
    REPORTER,
    SECTION,
    STANDARD,
    Identifiers,
    same_standard,
    standard_of,
)

Floats = NDArray[np.float32]

ABOUT = 0.9
"""What a document counts that is about the one named: a digest, a fact sheet."""
OTHER_VERSION = 0.8
"""What another version of the standard that was named counts."""
WITHIN, ABOVE = 0.9, 0.4
"""What a part counts that lies within the one named (1.4.1 for 1.4), and the one that it lies in."""
MENTIONED = 0.5
CFR_HEADING = re.compile(r"^§\s*(\d{1,3}\.\d{1,3})")


@dataclass(frozen=True, slots=True)
class Found:
    """Where a question's identifiers stand.

    Attributes:
        document: how well each chunk's document is the one named; ones where none is named.
        place: share of the places named that each chunk is, 0 to 1.
        mentions: whether each chunk's text names the document.
    """

    document: Floats
    place: Floats
    mentions: NDArray[np.bool_]


class Places:
    """The identifiers of all chunks, ready to be compared."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = chunks
        self._named = [_named_in(chunk.text) for chunk in chunks]
        self._own_sections = [_cfr_section(chunk) for chunk in chunks]
        self._sections = [{match[1] for match in SECTION.finditer(chunk.text)} for chunk in chunks]

    def find(self, named: Identifiers) -> Found:
        """Compare a question's identifiers with those of all chunks."""
        document = self._each(lambda at: _document(named, self._chunks[at]))
        names = {*named.standards, *named.orders, *named.cited}
        mentions = np.array([_any_mention(names, found) for found in self._named], dtype=bool)
        return Found(document, self._each(lambda at: self._place(named, at)), mentions)

    def _each(self, score: Callable[[int], float]) -> Floats:
        return np.fromiter(
            (score(at) for at in range(len(self._chunks))), dtype=np.float32, count=len(self._chunks)
        )

    def _place(self, named: Identifiers, at: int) -> float:
        chunk = self._chunks[at]
        shares = []
        if named.requirements:
            shares.append(float(chunk.requirement in named.requirements))
        if named.parts:
            shares.append(max(_part(part, chunk.parts) for part in named.parts))
        if named.numbered:
            shares.append(max(_part(number, _numbers(chunk)) for number in named.numbered))
        if named.paragraphs:
            of_text = chunk.kind != "footnote" or bool(named.footnotes)
            shares.append(float(str(chunk.paragraph) in named.paragraphs) * (1.0 if of_text else MENTIONED))
        if named.footnotes:
            shares.append(float(any(str(note) in named.footnotes for note in chunk.footnotes)))
        if named.attachments:
            headings = "\n".join(chunk.section).lower()
            shares.append(float(any(re.search(rf"\b{name}\b", headings) for name in named.attachments)))
        if named.sections:
            own = float(self._own_sections[at] in named.sections)
            shares.append(own or MENTIONED * any(section in self._sections[at] for section in named.sections))
        if named.measure and shares:
            shares.append(float(chunk.kind == "measure"))
        return sum(shares) / len(shares) if shares else 0.0


def _document(named: Identifiers, chunk: Chunk) -> float:
    if not named.names_document:
        return 1.0
    itself = chunk.name in {chunk.standard, f"Order No. {chunk.order}"}
    if chunk.order in named.orders or chunk.name in named.cited:
        return 1.0 if itself else ABOUT
    if any(same_standard(name, chunk.standard) for name in named.standards if chunk.standard):
        return 1.0 if itself else ABOUT
    older = any(_number(name) == _number(chunk.standard) for name in named.standards if chunk.standard)
    return OTHER_VERSION if older else 0.0


def _number(standard: str) -> str:
    return "-".join(standard.split("-")[:2])


def _part(wanted: str, parts: Sequence[str]) -> float:
    if wanted in parts:
        return 1.0
    if any(part.startswith(f"{wanted}.") for part in parts):
        return WITHIN
    return ABOVE if any(wanted.startswith(f"{part}.") for part in parts) else 0.0


def _numbers(chunk: Chunk) -> tuple[str, ...]:
    headed = [found[1] for heading in chunk.section if (found := re.match(r"Section (\d[\d.]*)", heading))]
    return (*chunk.parts, *headed)


def _cfr_section(chunk: Chunk) -> str:
    found = [match[1] for heading in chunk.section if (match := CFR_HEADING.match(heading))]
    return found[-1] if found else ""


def _named_in(text: str) -> set[str]:
    standards = {standard_of(match) for match in STANDARD.finditer(text)}
    orders = {match[1].upper() for match in ORDER.finditer(text)}
    cited = {f"{match[1]} FERC ¶ {match[2]}" for match in REPORTER.finditer(text)}
    return standards | orders | cited | {match[1].upper() for match in DOCKET.finditer(text)}


def _any_mention(names: set[str], found: set[str]) -> bool:
    return any(name in found or any(other.startswith(f"{name}-") for other in found) for name in names)
