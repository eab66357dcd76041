"""Reads a document's structure line by line: sections, requirements, parts, paragraphs, footnotes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from knowledge.chunk import Kind
from knowledge.identity import Identity
from knowledge.page_furniture import Page
from knowledge.pdf_lines import Line

LONGEST_HEADING = 110

Step = Literal["start", "on", "heading", "drop"]
"""A line starts a block, goes on with it, is a heading (kept in the section path alone), or is dropped."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines under one label."""

    lines: tuple[Line, ...]
    section: tuple[str, ...] = ()
    standard: str = ""
    requirement: str = ""
    part: str = ""
    paragraph: int | None = None
    footnote: int | None = None
    kind: Kind = "text"


@dataclass
class Place:
    """Where the reader stands in the document.

    Attributes:
        identity: of the document.
        body_pt: its usual size of type.
        headings: by level, 0 outermost.
        heading_level: of the line before, where that was a heading.
    """

    identity: Identity
    body_pt: float
    headings: dict[int, str] = field(default_factory=dict)
    standard: str = ""
    requirement: str = ""
    part: str = ""
    paragraph: int | None = None
    kind: Kind = "text"
    heading_level: int | None = None

    def enter(self, level: int, heading: str) -> Step:
        """Go under a heading; deeper ones end."""
        self.headings = {at: text for at, text in self.headings.items() if at < level} | {level: heading}
        self.part, self.heading_level = "", level
        return "heading"

    def lengthen_heading(self, text: str) -> Step:
        """A heading that goes on in a second line."""
        if self.heading_level is not None:
            self.headings[self.heading_level] += f" {text}"
        return "heading"

    def label(self) -> Block:
        """The label of a block that starts here."""
        section = tuple(self.headings[level].rstrip(" :") for level in sorted(self.headings))
        return Block((), section, self.standard, self.requirement, self.part, self.paragraph, None, self.kind)


@dataclass
class _Open:
    """A block that still takes lines."""

    label: Block
    lines: list[Line] = field(default_factory=list)

    def closed(self) -> list[Block]:
        return [replace(self.label, lines=tuple(self.lines))] if self.lines else []


def read_structure(
    identity: Identity, pages: Sequence[Page], read_line: Callable[[Place, Line], Step]
) -> Iterator[Block]:
    """Split a document's lines into labelled blocks, in reading order.

    A block of the body may go on overleaf; a page's footnotes follow the block that they interrupt.
    """
    place = Place(identity, usual_size(pages), standard=identity.standard)
    body, notes = _Open(place.label()), list[Block]()
    for page in pages:
        note: _Open | None = None
        for line in page:
            if line.footnote is not None:
                notes += note.closed() if note else []
                note = _Open(replace(place.label(), footnote=line.footnote, kind="footnote"))
            if note is not None:
                note.lines.append(line)
                continue
            step = read_line(place, line)
            if step in {"start", "heading"}:
                yield from (*body.closed(), *notes)
                body, notes = _Open(place.label()), []
            if step in {"start", "on"}:
                place.heading_level = None
                body.lines.append(line)
        notes += note.closed() if note else []
    yield from (*body.closed(), *notes)


def usual_size(pages: Sequence[Page]) -> float:
    """The size in points of most of the text."""
    sizes: dict[float, int] = {}
    for page in pages:
        for line in page:
            sizes[line.size] = sizes.get(line.size, 0) + len(line.text)
    return max(sizes, key=lambda size: sizes[size], default=12.0)
