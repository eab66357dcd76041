"""PDFs made for a test."""

import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fpdf import FPDF

from knowledge.ingest import ingest_paths

STANDARD = """A. Introduction
1. Title: Operating the Grid Calmly
2. Number: XYZ
3. Purpose: To keep the lights on while batteries and peakers are dispatched.
B. Requirements and Measures
R1. Each Balancing Authority shall evaluate firmware of battery inverters for defects.
1.1. The evaluation shall be made at least once every 35 calendar days.
1.2. The results of the evaluation shall be kept for ninety days after it is complete.
M1. Examples of evidence may include dated records of each firmware evaluation.
R2. Each Balancing Authority shall recover its Reporting ACE within 15 minutes.
C. Compliance
The auditor may ask for the evidence at any time of the year."""


def standard_text(number: str) -> str:
    return STANDARD.replace("Number: XYZ", f"Number: {number}")


def write_pdf(path: Path, pages: Sequence[str]) -> Path:
    """One PDF page per text; headings of standards are bold."""
    pdf = FPDF(format="Letter")
    for page in pages:
        pdf.add_page()
        for line in page.splitlines():
            heading = line[:3] in {"A. ", "B. ", "C. "}
            pdf.set_font("Helvetica", style="B" if heading else "", size=12)
            pdf.cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
    pdf.set_creation_date(datetime(2024, 5, 13, tzinfo=UTC))  # the same bytes each time
    pdf.output(str(path))
    return path


@pytest.fixture
def make_pdf(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, *pages: str) -> Path:
        return write_pdf(tmp_path / name, pages)

    return make


@pytest.fixture
def make_standard(tmp_path: Path) -> Callable[[str], Path]:
    def make(number: str) -> Path:
        first, second = standard_text(number).split("\nR2.", 1)
        return write_pdf(tmp_path / f"{number}.pdf", [first, f"R2.{second}"])

    return make


@pytest.fixture
def corpus(tmp_path: Path, make_standard: Callable[[str], Path], make_pdf: Callable[..., Path]) -> Path:
    """An index of a standard and two other documents; returns its directory."""
    directory = tmp_path / "index"
    ships = (
        "The harbour office keeps a register of ships. Every vessel pays a fee for its mooring each month. "
    )
    order = (
        "187 FERC 61,069\nUNITED STATES OF AMERICA\nFEDERAL ENERGY REGULATORY COMMISSION\n"
        "Docket No. RM22-7-000\nORDER NO. 1977\nPermits for Transmission Lines\n(Issued May 13, 2024)\n"
        "1. The Commission adopts rules for permits to site transmission lines across states.\n"
        "2. An applicant must mail the notification to affected landowners within 14 days.\n"
        "3. This paragraph refers to the approach that BAL-003-2 takes to frequency response."
    )
    paths = [
        make_standard("BAL-777-2"),
        make_pdf("harbour.pdf", textwrap.fill(ships, 80)),
        make_pdf("order.pdf", order),
    ]
    ingest_paths(paths, directory)
    return directory
