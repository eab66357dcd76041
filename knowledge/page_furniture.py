"""Takes away what is on the page but not of the text: headers, footers, watermarks, tables of contents."""

import re
from collections import Counter
from collections.abc import Sequence

from knowledge.pdf_lines import Line

Page = tuple[Line, ...]

EDGE = 0.10
"""Share of the page's height, above and below, where headers and footers stand."""
REPEATED = 0.3
"""A line on this share of the pages (its digits aside) is furniture."""
LEADER = re.compile(r"(?:\.\s?){5,}\s*[\divxlc]+\.?\s*$|_{6,}")
PAGE_NUMBER = re.compile(
    r"^(?:page\s*)?[-–—]*\s*(?:\d{1,4}|[ivxlc]{1,6})\s*[-–—]*(?:\s*of\s+\d+)?$", re.IGNORECASE
)
CONTINUED = re.compile(r"^\(?\s*cont(?:inued|\.)[^)]{0,30}\)?\W*$", re.IGNORECASE)
FEWEST_CONTENTS = 4


def without_furniture(pages: Sequence[Page]) -> list[Page]:
    """The pages with their running lines, page numbers, watermarks and tables of contents taken away."""
    least = max(2, round(REPEATED * len(pages)))
    edge = _repeated(pages, least, at_edge=True)
    anywhere = _repeated(pages, max(2, round(0.6 * len(pages))), at_edge=False) if len(pages) > 3 else set()
    return [_without_contents(_kept(page, edge, anywhere)) for page in pages]


def joined(lines: Sequence[Line], words: Counter[str]) -> str:
    """The lines as running text; hyphens at their ends are undone where the document knows the whole word."""
    text = ""
    for line in lines:
        text = _append(text, line.text, words)
    return text


def vocabulary(pages: Sequence[Page]) -> Counter[str]:
    """How often each word (with its hyphens) stands within a line."""
    return Counter(
        word
        for page in pages
        for line in page
        for word in re.findall(r"[a-z]+(?:-[a-z]+)*", line.text.lower())
    )


def _append(text: str, more: str, words: Counter[str]) -> str:
    if not text:
        return more
    if text.endswith("\u00ad"):
        return text[:-1] + more
    broken = re.search(r"([A-Za-z]+(?:-[A-Za-z]+)*)-$", text)
    if broken is None or not more[:1].isalnum():
        return f"{text} {more}"
    if not more[0].islower():
        return text + more  # CIP-|007-6
    rest = re.match(r"[a-z]+", more)
    head, tail = broken[1].lower(), rest[0] if rest else ""
    whole, hyphenated = words[head + tail], words[f"{head}-{tail}"]
    if whole > hyphenated or (not hyphenated and not (words[head] and words[tail])):
        return text[:-1] + more
    return text + more


def _repeated(pages: Sequence[Page], least: int, *, at_edge: bool) -> set[str]:
    seen: Counter[str] = Counter()
    for page in pages:
        usual = Counter(round(line.size, 1) for line in page).most_common(1)
        lines = [
            line
            for line in page
            if (_at_edge(line) if at_edge else line.size > 1.5 * usual[0][0] and len(line.text) < 60)
        ]
        seen.update({_shape(line) for line in lines})
    return {shape for shape, pages_with_it in seen.items() if pages_with_it >= least}


def _kept(page: Page, edge: set[str], anywhere: set[str]) -> list[Line]:
    return [
        line
        for line in page
        if not (
            _shape(line) in anywhere
            or CONTINUED.match(line.text)
            or (_at_edge(line) and (_shape(line) in edge or PAGE_NUMBER.match(line.text)))
        )
    ]


def _at_edge(line: Line) -> bool:
    return line.height < EDGE or line.height > 1 - EDGE


def _shape(line: Line) -> str:
    return re.sub(r"\W+", " ", re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text.lower())).strip()


def _without_contents(lines: list[Line]) -> Page:
    """Without the stretch from the first to the last line that leads by dots to a number."""
    led = [at for at, line in enumerate(lines) if LEADER.search(line.text)]
    if len(led) < FEWEST_CONTENTS:
        return tuple(lines)
    first = led[0]
    title = [
        at for at in range(first) if re.match(r"table of contents|contents$", lines[at].text, re.IGNORECASE)
    ]
    return tuple(lines[: title[-1] if title else first] + lines[led[-1] + 1 :])
