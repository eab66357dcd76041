"""The structure of any other document: headings by size and weight of type, lists, requirements."""

import re

from knowledge.identifiers import STANDARD, standard_of
from knowledge.pdf_lines import Line
from knowledge.structure import LONGEST_HEADING, Place, Step

REQUIREMENT = re.compile(r"^R(\d{1,2})(?:[.:]?\s+(\d{1,2}(?:\.\d{1,2})+))?[.:]?\s")
PART = re.compile(r"^(\d{1,2}(?:\.\d{1,2})+)\.?\s")
LARGER, MUCH_LARGER = 1.12, 1.5


def read_other_line(place: Place, line: Line) -> Step:
    """Move ``place`` over a line of a document of no known form."""
    text = line.text
    larger = line.size > place.body_pt * LARGER
    if (line.bold or larger) and len(text) <= LONGEST_HEADING and text[0] != "•":
        return _heading(place, line)
    if found := REQUIREMENT.match(text):
        place.requirement, place.part = f"R{found[1]}", found[2] or ""
        return "start"
    if place.requirement and (found := PART.match(text)):
        place.part = found[1]
        return "start"
    return "start" if text[0] == "•" else "on"


def _heading(place: Place, line: Line) -> Step:
    level = _level(place, line)
    if place.heading_level == level:
        place.lengthen_heading(line.text)
    else:
        place.enter(level, line.text)
        place.requirement = ""
        if level < 2:
            place.standard = ""
    if found := STANDARD.search(place.headings[level]):
        place.standard = standard_of(found)
    return "heading"


def _level(place: Place, line: Line) -> int:
    """Larger type stands above smaller."""
    if line.size > place.body_pt * MUCH_LARGER:
        return 0
    return 1 if line.size > place.body_pt * LARGER else 2
