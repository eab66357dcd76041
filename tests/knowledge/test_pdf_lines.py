"""What is read of a PDF, and which PDFs are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF

from knowledge.errors import UnreadablePdfError
from knowledge.pdf_lines import normalise, read_pdf


def test_lines_carry_their_page_and_weight(make_pdf: Callable[..., Path]) -> None:
    pdf = read_pdf(make_pdf("a.pdf", "A. Introduction\nA line of plain text.", "Another page of plain text."))
    first, second = pdf.pages
    assert [(line.text, line.page, line.bold) for line in first] == [
        ("A. Introduction", 1, True),
        ("A line of plain text.", 1, False),
    ]
    assert second[0].page == 2


def test_a_broken_pdf_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(b"%PDF-1.7\nnothing that follows is a PDF")
    with pytest.raises(UnreadablePdfError, match=r"broken\.pdf: broken"):
        read_pdf(path)


def test_an_encrypted_pdf_is_told(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.set_encryption("owner", "user")
    pdf.add_page()
    pdf.set_font("Helvetica")
    pdf.cell(0, 6, "A secret.")
    pdf.output(str(tmp_path / "locked.pdf"))
    with pytest.raises(UnreadablePdfError, match="encrypted; save a copy without a password"):
        read_pdf(tmp_path / "locked.pdf")


def test_a_pdf_that_mostly_has_no_text_is_told_to_be_scanned(make_pdf: Callable[..., Path]) -> None:
    text = "This page holds text enough to be read."
    with pytest.raises(UnreadablePdfError, match="no text on 2 of 3 pages"):
        read_pdf(make_pdf("scan.pdf", "", text, ""))
    assert read_pdf(make_pdf("mixed.pdf", text, "", text)).empty_pages == (2,)


def test_a_raised_small_digit_is_a_mark_and_no_text(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(40, 6, "An order of the court.")
    pdf.set_font("Helvetica", size=7)
    pdf.cell(10, 3, "94", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(20)
    pdf.cell(5, 3, "94")
    pdf.set_font("Helvetica", size=12)
    pdf.cell(0, 6, "See the court's own rules of 1999.")
    pdf.output(str(tmp_path / "notes.pdf"))
    body, note = read_pdf(tmp_path / "notes.pdf").pages[0]
    assert (body.text, body.footnote) == ("An order of the court.", None)
    assert (note.text, note.footnote) == ("See the court's own rules of 1999.", 94)


def test_diagonal_text_is_a_watermark_and_left_out(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(0, 6, "Each operator keeps a record.", new_x="LMARGIN", new_y="NEXT")
    with pdf.rotation(45, 100, 150):
        pdf.text(100, 150, "DRAFT OF MAY")
    pdf.output(str(tmp_path / "draft.pdf"))
    assert [line.text for line in read_pdf(tmp_path / "draft.pdf").pages[0]] == [
        "Each operator keeps a record."
    ]


def test_ligatures_and_bullets_become_plain() -> None:
    assert normalise("\ufb01rmware \uf0b7 of\ufb02ine\x07") == "firmware • offline"
