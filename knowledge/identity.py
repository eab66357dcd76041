"""What a document is: a NERC standard, a FERC order or something else, and its title."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from knowledge.identifiers import ORDER, REPORTER, STANDARD, standard_of
from knowledge.page_furniture import Page
from knowledge.pdf_lines import Line

Kind = Literal["standard", "order", "other"]
LONGEST_TITLE = 160


@dataclass(frozen=True, slots=True)
class Identity:
    """What a document is.

    Attributes:
        kind: decides how its structure is read.
        name: how it is cited, such as CIP-007-6 or Order No. 1977.
        title: in words.
        standard: with its version; empty where it is none.
        order: number of the order; empty where it is none.
        cited: reporter citation of an order.
    """

    kind: Kind
    name: str
    title: str
    standard: str = ""
    order: str = ""
    cited: str = ""


def identify(file_name: str, metadata_title: str, pages: Sequence[Page]) -> Identity:
    """Tell what a document is from its first pages, then its metadata, then its file name."""
    opening = [line for page in pages[:3] for line in page]
    return _standard(opening) or _order(opening) or _other(file_name, metadata_title, opening)


def _standard(opening: Sequence[Line]) -> Identity | None:
    number = title = ""
    for at, line in enumerate(opening[:60]):
        if found := re.match(r"(?:\d\.\s*)?Number:\s*(.*)", line.text):
            match = STANDARD.search(found[1])
            number = number or (standard_of(match) if match else "")
        if found := re.match(r"(?:\d\.\s*)?Title:\s*(.*)", line.text):
            more = opening[at + 1].text if at + 1 < len(opening) else ""
            title = title or found[1] + ("" if re.match(r"\d\.|\w+:", more) else f" {more}")
    if not number:
        return None
    return Identity("standard", number, _plain(title) or number, standard=number)


def _order(opening: Sequence[Line]) -> Identity | None:
    text = "\n".join(line.text for line in opening)
    if "FEDERAL ENERGY REGULATORY COMMISSION" not in text.upper():
        return None
    order, cited = ORDER.search(text), REPORTER.search(text)
    docket = re.search(r"Docket Nos?\.?\s*([A-Z]{2}\d{2}-\d+-\d{3})", text)
    if order is None and docket is None:
        return None
    number = order[1].upper() if order else ""
    name = f"Order No. {number}" if number else f"Docket No. {docket[1] if docket else ''}"
    reporter = f"{cited[1]} FERC ¶ {cited[2]}" if cited else ""
    return Identity("order", name, _order_title(opening) or name, order=number, cited=reporter)


def _order_title(opening: Sequence[Line]) -> str:
    """The line above "(Issued …)" that names the matter."""
    for at, line in enumerate(opening):
        if line.text.startswith("(Issued"):
            before = [
                other.text for other in opening[max(0, at - 8) : at]
                if not re.search(r"Docket|ORDER|FERC|RULE|COMMISSION|AMERICA|Commissioner|CFR|;", other.text)
            ]  # fmt: skip
            if before:
                return _plain(" ".join(before[-2:]))
    return ""


def _other(file_name: str, metadata_title: str, opening: Sequence[Line]) -> Identity:
    stem = re.sub(r"[_\s]+", " ", file_name.rsplit(".", 1)[0])
    sizes = Counter(line.size for line in opening[:40])
    largest, usual = max(sizes, default=0.0), sizes.most_common(1)[0][0] if sizes else 0.0
    head = " ".join(line.text for line in opening[:40] if line.size == largest)
    shown = head if usual < largest and len(head) <= LONGEST_TITLE else ""
    title = _plain(shown) or _plain(metadata_title) or stem
    about = ORDER.search(title)
    return Identity("other", title, title, order=about[1].upper() if about else "")


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" .—–-")[:LONGEST_TITLE]
