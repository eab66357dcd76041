"""The structure of NERC standards: requirements, parts, tables, measures, severity levels, guidance."""

import re

from knowledge.identifiers import STANDARD
from knowledge.pdf_lines import Line
from knowledge.structure import LONGEST_HEADING, Place, Step

LETTER = re.compile(r"^[A-H]\.\s+[A-Z]")
REQUIREMENT = re.compile(r"^R(\d{1,2})[.:]\s")
MEASURE = re.compile(r"^M(\d{1,2})[.:]\s")
PART = re.compile(r"^(\d{1,2}(?:\.\d{1,2})+)\.?(?:\s|$)")
TABLE = re.compile(r"Table R(\d{1,2})\s*[–—-]")
COLUMNS = re.compile(r"^Part\s+Applicable Systems\b|^Requirements\s+Measures$|^Lower VSL\b|^R ?#.*VSL")
SEVERITY = re.compile(
    r"Violation Severity Levels|^R ?#.*VSL|^Lower VSL\b|Table of Compliance Elements", re.IGNORECASE
)
SEVERITY_ROW = re.compile(r"^R\s?(\d{1,2})\b\.?")
ABOUT_REQUIREMENT = re.compile(r"^(?:Rationale for )?(?:Requirement )?R(\d{1,2})\b.{0,90}$")
BACK_MATTER = re.compile(
    r"^(Guidelines and Technical Basis|Version History|Rationale\b.{0,90}|Standard Attachments"
    r"|Interpretations?|Supplemental Material|Technical Rationale|Associated Documents|Implementation Plan"
    r"|Glossary|Definitions)\W*$"
)
ATTACHMENT = re.compile(
    r"^(?:[A-Z]{3}-\d{3}\S*\s*[–—-]\s*)?(?:Attachment|Appendix)\s+(?:\d{1,2}|[A-H])(?:\s*[:–—(-].{0,80})?$",
    re.IGNORECASE,
)
SECTION_NUMBER = re.compile(r"^Section (\d{1,2}(?:\.\d{1,2})*)\s*[.:–-]\s+")
INTRODUCTION_ITEM = re.compile(r"^\d\.\s+(Title|Number|Purpose|Applicability|Effective Dates?|Background)\b")
LARGEST_SECTION = 30
LONGEST_TITLE = 70


def read_standard_line(place: Place, line: Line) -> Step:
    """Move ``place`` over a line of a standard."""
    for read in (
        _severity,
        _back_matter,
        _section_letter,
        _table,
        _requirement,
        _section,
        _part,
        _sub_heading,
    ):
        step = read(place, line)
        if step is not None:
            return step
    return "on"


def _severity(place: Place, line: Line) -> Step | None:
    text = line.text
    if len(text) <= LONGEST_HEADING and SEVERITY.search(text):
        if place.kind == "severity":
            return "drop"
        place.kind, place.requirement = "severity", ""
        return place.enter(1, "Violation Severity Levels")
    if place.kind != "severity" or not (found := SEVERITY_ROW.match(text)):
        return None
    changed = place.requirement != f"R{found[1]}"
    place.requirement = f"R{found[1]}"
    return "start" if changed else "on"


def _back_matter(place: Place, line: Line) -> Step | None:
    text = line.text
    if ATTACHMENT.match(text) and (line.bold or line.size > place.body_pt + 1 or len(text) < 16):
        if place.headings.get(0, "").startswith("Guidelines"):
            return place.enter(1, text)  # what the guidance says about it
        return _part_of_document(place, text, "requirement")
    about = ABOUT_REQUIREMENT.match(text)
    behind = place.kind == "guidance"
    if about and (text.startswith("Rationale") or (behind and (line.bold or text.endswith(":")))):
        if not behind:
            _part_of_document(place, "Rationale", "guidance")
        place.requirement = f"R{about[1]}"
        return place.enter(1, text)
    if BACK_MATTER.match(text) and (
        line.bold or line.size > place.body_pt or text.startswith("Rationale")
    ):  # fmt: skip
        return _part_of_document(place, text, "guidance")
    return None


def _part_of_document(place: Place, heading: str, kind: "str") -> Step:
    if place.headings.get(0) == heading:
        return "drop"  # printed again overleaf
    place.headings, place.requirement = {}, ""
    place.kind = "requirement" if kind == "requirement" else "guidance"
    return place.enter(0, heading)


def _section_letter(place: Place, line: Line) -> Step | None:
    if not (LETTER.match(line.text) and line.bold and len(line.text) <= LONGEST_HEADING):
        return None
    if place.headings.get(0) == line.text:
        return "drop"
    place.headings, place.requirement = {}, ""
    place.kind = "front" if "Introduction" in line.text else "text"
    return place.enter(0, line.text)


def _table(place: Place, line: Line) -> Step | None:
    if COLUMNS.match(line.text):
        return "drop"
    found = TABLE.search(line.text)
    if (
        not found
        or not STANDARD.match(line.text)
        or len(line.text) > LONGEST_HEADING
        or place.kind == "guidance"
    ):
        return None
    if place.headings.get(1) == line.text:
        return "drop"  # the table's title, printed again overleaf
    place.requirement, place.kind = f"R{found[1]}", "requirement"
    return place.enter(1, line.text)


def _requirement(place: Place, line: Line) -> Step | None:
    if place.kind == "severity":
        return "on"
    for pattern, kind in ((REQUIREMENT, "requirement"), (MEASURE, "measure")):
        if found := pattern.match(line.text):
            place.requirement, place.part = f"R{found[1]}", ""
            place.kind = "requirement" if kind == "requirement" else "measure"
            place.headings.pop(1, None)
            return "start"
    return None


def _section(place: Place, line: Line) -> Step | None:
    if found := INTRODUCTION_ITEM.match(line.text):
        place.enter(1, found[1])
        return "start"
    found = SECTION_NUMBER.match(line.text)
    if not found or int(found[1].split(".")[0]) > LARGEST_SECTION:
        return None
    title = re.split(r":\s|\.\s", line.text[found.end() :], maxsplit=1)[0]
    place.enter(1, f"Section {found[1]}" + (f" – {title}" if len(title) <= LONGEST_TITLE else ""))
    place.part = found[1]
    return "start"


def _part(place: Place, line: Line) -> Step | None:
    found = PART.match(line.text)
    if found is None or place.kind == "measure" or not _follows(place, found[1]):
        return None
    place.part = found[1]
    return "start"


def _follows(place: Place, number: str) -> bool:
    """Whether a number at a line's start goes on with the numbering, rather than with a sentence."""
    numbers = [int(part) for part in number.split(".")]
    before = [int(part) for part in place.part.split(".")] if place.part else []
    if (
        place.requirement
        and place.kind in {"requirement", "measure"}
        and numbers[0] != int(place.requirement[1:])
    ):
        return False
    return numbers[0] <= LARGEST_SECTION and (numbers > before or place.kind in {"guidance", "text"})


def _sub_heading(place: Place, line: Line) -> Step | None:
    if place.kind != "guidance" or not line.bold or len(line.text) > LONGEST_HEADING or line.text[0] in "•(":
        return None
    if place.heading_level is not None:
        return place.lengthen_heading(line.text)
    return place.enter(2, line.text)
