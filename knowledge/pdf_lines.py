"""A PDF's lines: text, page and the few facts about type that tell headings and footnotes apart."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, PyPdfError

from knowledge.errors import UnreadablePdfError

SMALL = 0.8
"""A digit below this share of the page's type size is a footnote's mark."""
NUMBER_HEIGHT_PT, NUMBER_WIDTH_PT = 16.0, 48.0
LONGEST_INDENT_PT = 40.0
LEAST_CHARACTERS = 20
"""Fewer on a page than this: blank, or a scanned picture."""
BULLETS = str.maketrans(dict.fromkeys("\uf0b7\uf0a7\uf0d8\u25cf\u25aa", "•"))


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line.

    Attributes:
        text: without marks of footnotes.
        page: counted from 1.
        height: of its first character above the page's lower edge, as a share of the page's height.
        size: of its type, in points.
        bold: whether all of it is.
        footnote: number of the footnote that starts here.
        numbered: whether a number is drawn beside it as a picture (FERC's paragraphs often have that).
    """

    text: str
    page: int
    height: float = 0.5
    size: float = 12.0
    bold: bool = False
    footnote: int | None = None
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class PdfText:
    """What was read of a PDF.

    Attributes:
        pages: lines by page, in order.
        title: from the file's metadata; empty where there is none.
        empty_pages: numbers of pages without text.
    """

    pages: tuple[tuple[Line, ...], ...]
    title: str
    empty_pages: tuple[int, ...]


@dataclass
class _Piece:
    text: str
    x: float
    y: float
    size: float
    font: str


@dataclass
class _Collector:
    """Takes what pypdf meets on a page."""

    pieces: list[_Piece] = field(default_factory=list)
    pictures_y: list[float] = field(default_factory=list)

    def text(self, text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        if not text:
            return
        a, b = tm[0] * cm[0] + tm[1] * cm[2], tm[0] * cm[1] + tm[1] * cm[3]
        if text.strip() and min(abs(a), abs(b)) > 0.1 * max(abs(a), abs(b)):
            return  # diagonal: a watermark
        x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        name = str(font.get("/BaseFont", "")) if font else ""
        self.pieces.append(_Piece(text, x, y, abs(size) * max(abs(a), abs(b)), name))

    def operand(self, operator: Any, _arguments: Any, cm: Any, _tm: Any) -> None:
        if operator == b"Do" and 0 < cm[3] <= NUMBER_HEIGHT_PT and 0 < cm[0] <= NUMBER_WIDTH_PT:
            self.pictures_y.append(cm[5])


def read_pdf(path: Path) -> PdfText:
    """Read all lines of a PDF.

    Raises:
        UnreadablePdfError: when it is broken, encrypted or without text on most pages.
    """
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadablePdfError(f"{path.name}: encrypted; save a copy without a password")
        pages = tuple(_lines(page, number) for number, page in enumerate(reader.pages, start=1))
        title = (reader.metadata.title if reader.metadata else None) or ""
    except DependencyError:
        raise UnreadablePdfError(f"{path.name}: encrypted; save a copy without a password") from None
    # pypdf lets such errors of its own code through on damaged files.
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OSError,
    ) as error:
        raise UnreadablePdfError(f"{path.name}: broken ({error or type(error).__name__})") from error
    empty = tuple(
        number for number, lines in enumerate(pages, start=1) if _characters(lines) < LEAST_CHARACTERS
    )
    if len(empty) * 2 > len(pages) or not pages:
        raise UnreadablePdfError(
            f"{path.name}: no text on {len(empty)} of {len(pages)} pages (scanned?); run it through OCR first"
        )
    return PdfText(pages, normalise(title).strip(), empty)


def normalise(text: str) -> str:
    """One form for each character: ligatures undone, bullets of one kind, no control characters."""
    plain = unicodedata.normalize("NFKC", text.translate(BULLETS)).replace("\u2011", "-")
    return "".join(c for c in plain if c in "\n\t\u00ad" or unicodedata.category(c)[0] != "C")


def _characters(lines: Sequence[Line]) -> int:
    return sum(len(line.text.replace(" ", "")) for line in lines)


def _lines(page: PageObject, number: int) -> tuple[Line, ...]:
    seen = _Collector()
    page.extract_text(visitor_text=seen.text, visitor_operand_before=seen.operand)
    body_pt = _body_size(seen.pieces)
    rows: list[list[_Piece]] = [[]]
    for piece in seen.pieces:
        parts = piece.text.split("\n")
        for at, part in enumerate(parts):
            if at:
                rows.append([])
            if part:
                if len(rows) > 1 and not rows[-1] and _awaits(rows[-2], piece, body_pt):
                    rows.pop()  # the mark of a footnote, raised above its first line
                rows[-1].append(_Piece(part, piece.x, piece.y, piece.size, piece.font))
    tall_pt = float(page.mediabox.height) or 1.0
    lines = (_line(row, number, body_pt, tall_pt, seen.pictures_y) for row in rows)
    return tuple(line for line in lines if line is not None)


def _body_size(pieces: Sequence[_Piece]) -> float:
    sizes: Counter[float] = Counter()
    for piece in pieces:
        sizes[round(piece.size, 1)] += len(piece.text.strip())
    return sizes.most_common(1)[0][0] if sizes else 12.0


def _line(
    row: list[_Piece], page: int, body_pt: float, tall_pt: float, pictures_y: list[float]
) -> Line | None:
    printed = [piece for piece in row if piece.text.strip()]
    if not printed:
        return None
    footnote = None
    if len(printed) > 1 and _is_mark(printed[0], body_pt):
        footnote = int(printed[0].text)
    kept = [piece.text for piece in row if not _is_mark(piece, body_pt)]
    text = re.sub(r"[ \t]+", " ", normalise("".join(kept))).strip()
    if not text:
        return None
    first = printed[1] if footnote is not None else printed[0]
    numbered = any(abs(y - first.y) < 5.0 for y in pictures_y)
    bold = all("Bold" in piece.font for piece in printed)
    return Line(text, page, first.y / tall_pt, first.size, bold, footnote, numbered)


def _awaits(row: list[_Piece], piece: _Piece, body_pt: float) -> bool:
    """Whether a row is nothing but a mark at the left of what follows."""
    printed = [one for one in row if one.text.strip()]
    return (
        len(printed) == 1 and _is_mark(printed[0], body_pt) and 0 < piece.x - printed[0].x < LONGEST_INDENT_PT
    )


def _is_mark(piece: _Piece, body_pt: float) -> bool:
    digits = piece.text.strip()
    return piece.size < SMALL * body_pt and digits.isascii() and digits.isdigit() and len(digits) <= 4
