"""Builds the digest's PDFs from its sources; needs fpdf2, which the product itself does not."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

from knowledge.digest import PREFIX

HERE = Path(__file__).parent
FIXED = datetime(2026, 1, 1, tzinfo=UTC)
"""Creation date of every PDF, so that the same sources give the same files."""
NOTICE = "DIGEST, not the official text"
MARGIN_MM, LINE_MM = 20.0, 5.2


@dataclass(frozen=True, slots=True)
class Source:
    """One digest, as written.

    Attributes:
        name: of the file, such as BAL-003-2.
        title: its first heading.
        official: address of the official text.
        lines: of its body, in Markdown: headings (##), requirements, bullets, paragraphs.
    """

    name: str
    title: str
    official: str
    lines: tuple[str, ...]


def read_sources(folder: Path = HERE / "sources") -> list[Source]:
    """All sources, by name.

    Raises:
        ValueError: for one without a heading or without the address of the official text.
    """
    return [_read(path) for path in sorted(folder.glob("*.md"))]


def _read(path: Path) -> Source:
    first, second, *rest = path.read_text(encoding="utf-8").splitlines()
    official = re.fullmatch(r"Official: (https://\S+)", second)
    if not first.startswith("# ") or official is None:
        raise ValueError(f"{path.name}: begin with '# Title' and 'Official: https://...'")
    return Source(path.stem, first[2:], official[1], tuple(line for line in rest if line.strip()))


class _Page(FPDF):
    """A page that says at its head that it is a digest, and at its foot where the official text is."""

    def __init__(self, source: Source) -> None:
        super().__init__(format="Letter")
        self._source = source
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, margin=MARGIN_MM + 5)
        self.set_creation_date(FIXED)
        self.set_title(f"Digest of {source.title}")
        self.set_producer("smartgrid")

    def header(self) -> None:
        """The notice."""
        self.set_font("Helvetica", size=8)
        self.set_y(10)
        self.cell(0, 4, NOTICE, align="C")
        self.set_y(MARGIN_MM + 4)

    def footer(self) -> None:
        """Address and page."""
        self.set_font("Helvetica", size=8)
        self.set_y(-15)
        self.cell(0, 4, f"Official text: {self._source.official}", align="C")
        self.set_y(-11)
        self.cell(0, 4, f"{PREFIX}{self._source.name}, page {self.page_no()}", align="C")

    def paragraph(self, text: str, size_pt: float, style: str = "", indent_mm: float = 0.0) -> None:
        """Text over the full width, then a little room."""
        self.set_font("Helvetica", style=style, size=size_pt)
        self.set_x(MARGIN_MM + indent_mm)
        self.multi_cell(0, LINE_MM * size_pt / 10, text, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(1.2)


def render(source: Source) -> bytes:
    """The PDF of a source."""
    page = _Page(source)
    page.add_page()
    page.paragraph(f"Digest of {source.title}", 15, "B")
    for line in source.lines:
        if line.startswith("## "):
            page.ln(1.5)
            page.paragraph(line[3:], 11, "B")
        elif line.startswith("- "):
            page.paragraph("\x95 " + line[2:], 10, indent_mm=4)
        else:
            page.paragraph(line, 10)
    return bytes(page.output())


def build(folder: Path = HERE / "pdf") -> list[Path]:
    """Write all PDFs, and take away those whose source is gone."""
    folder.mkdir(exist_ok=True)
    written = []
    for source in read_sources():
        path = folder / f"{PREFIX}{source.name}.pdf"
        path.write_bytes(render(source))
        written.append(path)
    for old in set(folder.glob("*.pdf")) - set(written):
        old.unlink()
    return written


if __name__ == "__main__":
    build()
