"""The structure of FERC orders: numbered paragraphs under headings, then regulatory text by section."""

import re

from knowledge.pdf_lines import Line
from knowledge.structure import LONGEST_HEADING, Place, Step

ROMAN = re.compile(r"^[IVX]+\.\s+\S")
LETTER = re.compile(r"^([A-Z])\.\s+\S")
LOWER_LEVELS = (
    LETTER,
    re.compile(r"^\d{1,2}\.\s+\S"),
    re.compile(r"^[a-z]\.\s+\S"),
    re.compile(r"^(?:\([ivx]+\)|[ivx]+\.)\s+\S"),
    re.compile(r"^\([a-z0-9]\)\s+\S"),
)
NUMBERED = re.compile(r"^(\d{1,4})\.\s+\S")
CFR_PART = re.compile(r"^PART\s+\d+\b")
CFR_SECTION = re.compile(r"^§\s*\d{1,3}\.\d{1,3}[a-z]?\s+[A-Z\[]")
CFR_PARAGRAPH = re.compile(r"^\((?:[a-z]|\d{1,2})\)\s")
APPENDIX = re.compile(r"^Appendix\b.{0,90}$|^By the Commission\b.{0,80}$", re.IGNORECASE)


def read_order_line(place: Place, line: Line) -> Step:
    """Move ``place`` over a line of an order."""
    following = (place.paragraph or 0) + 1
    if place.kind != "requirement" and (line.numbered or _number(line) == following):
        place.paragraph, place.kind = following, "text"
        return "start"
    if CFR_PART.match(line.text) or CFR_SECTION.match(line.text):
        return _regulation(place, line)
    if line.bold and len(line.text) <= LONGEST_HEADING:
        step = _heading(place, line.text)
        if step is not None:
            return step
    if place.kind == "requirement" and CFR_PARAGRAPH.match(line.text):
        return "start"
    return "on"


def _number(line: Line) -> int | None:
    found = NUMBERED.match(line.text)
    return int(found[1]) if found and not line.bold else None


def _regulation(place: Place, line: Line) -> Step:
    part = bool(CFR_PART.match(line.text))
    if not (line.bold or part or place.kind == "requirement") or len(line.text) > LONGEST_HEADING:
        return "on"
    place.paragraph, place.kind = None, "requirement"
    return place.enter(0 if part else 1, line.text)


def _heading(place: Place, text: str) -> Step | None:
    if place.kind == "requirement":
        return place.lengthen_heading(text) if place.heading_level is not None else None
    if APPENDIX.match(text):
        place.paragraph = None
        return place.enter(0, text)
    if ROMAN.match(text) and not _next_letter(place, text):
        return place.enter(0, text)
    for level, pattern in enumerate(LOWER_LEVELS, start=1):
        if pattern.match(text):
            return place.enter(level, text)
    return place.lengthen_heading(text) if place.heading_level is not None else None


def _next_letter(place: Place, text: str) -> bool:
    """Whether C., D. or I. goes on with the letters rather than with the Roman numbers."""
    before, found = place.headings.get(1, ""), LETTER.match(text)
    return bool(before) and found is not None and ord(before[0]) + 1 == ord(found[1])
