"""Requirements, parts, paragraphs, sections and footnotes of documents."""

from pathlib import Path

from knowledge.chunk import Chunk
from knowledge.chunking import chunks_of
from knowledge.pdf_lines import Line, PdfText, read_pdf

ORDER_HEAD = (
    "UNITED STATES OF AMERICA",
    "FEDERAL ENERGY REGULATORY COMMISSION",
    "ORDER NO. 1977",
    "Permits for Lines",
    "(Issued May 13, 2024)",
)


def line(text: str, number: int = 1, **facts: object) -> Line:
    bold = text.startswith("**")
    return Line(text.strip("*"), number, bold=bold, **facts)  # type: ignore[arg-type]


def read(*pages: list[Line], name: str = "a.pdf") -> list[Chunk]:
    return chunks_of(Path(name), PdfText(tuple(tuple(page) for page in pages), "", ()))


def standard(*lines: str) -> list[Line]:
    head = ("1. Title: Calm Operation", "2. Number: CIP-777-3", "**B. Requirements and Measures**")
    return [line(text) for text in (*head, *lines)]


def find(chunks: list[Chunk], words: str) -> Chunk:
    return next(chunk for chunk in chunks if words in chunk.text)


LONG = "This sentence stands here so that the part is long enough to be a passage of its own. " * 4


def test_parts_belong_to_their_requirement_and_measures_to_theirs() -> None:
    chunks = read(
        standard(
            "R1. Each operator shall act.",
            f"1.1. First. {LONG}",
            f"1.2. Second. {LONG}",
            "M1. Evidence of it.",
        )
    )
    assert (find(chunks, "First").requirement, find(chunks, "First").parts) == ("R1", ("1.1",))
    assert find(chunks, "Second").parts == ("1.2",)
    assert (find(chunks, "Evidence").kind, find(chunks, "Evidence").requirement) == ("measure", "R1")
    assert find(chunks, "Second").citation == "CIP-777-3 R1 1.2, p. 1"


def test_a_number_that_goes_on_with_a_sentence_starts_no_part() -> None:
    chunks = read(
        standard(
            "R1. Each operator shall act.", "1.2. As is said in Part", "1.1 of this, it shall act again."
        )
    )
    assert find(chunks, "act again").parts == ("1.2",)


def test_a_table_s_title_that_returns_overleaf_does_not_stretch_the_row_before() -> None:
    title = "**CIP-777-3 Table R2 – Patches"
    first = standard("R2. Each operator shall have a process.", title, f"2.1 Evaluate patches. {LONG}")
    second = [
        line(title, 2),
        line("Part Applicable Systems Requirements Measures", 2),
        line(f"2.2 Install them. {LONG}", 2),
    ]
    chunks = read(first, second)
    assert find(chunks, "Evaluate").pages == (1,)
    assert find(chunks, "Install").citation == "CIP-777-3 R2 2.2, p. 2"
    assert find(chunks, "Install").section[-1] == "CIP-777-3 Table R2 – Patches"


def test_severity_levels_are_told_from_requirements() -> None:
    chunks = read(
        standard(
            "R1. Each operator shall act.",
            "**C. Compliance**",
            "R # VRF Violation Severity Levels",
            "R1 Medium N/A The operator has failed to act once in the year.",
        )
    )
    assert find(chunks, "failed").kind == "severity"


def test_paragraphs_of_an_order_are_counted_where_their_numbers_are_pictures() -> None:
    body = [
        line("**I. Background**"),
        line("The first paragraph.", numbered=True),
        line("goes on."),
        line("The second one.", numbered=True),
    ]
    chunks = read([line(text) for text in ORDER_HEAD] + body)
    assert find(chunks, "first").text == "The first paragraph. goes on."
    assert find(chunks, "second").citation == "Order No. 1977 ¶ 2, p. 1"
    assert find(chunks, "second").section == ("I. Background",)


def test_printed_paragraph_numbers_must_follow_each_other() -> None:
    texts = (*ORDER_HEAD, "1. First.", "7. Is a number in it.", "2. Second.")
    chunks = read([line(text) for text in texts])
    assert find(chunks, "7. Is").paragraph == 1
    assert find(chunks, "Second").paragraph == 2


def test_a_footnote_does_not_break_the_paragraph_that_goes_on_overleaf() -> None:
    first = [line(text) for text in ORDER_HEAD] + [
        line("1. It begins here"),
        line("See the rules of 1999.", footnote=4),
    ]
    chunks = read(first, [line("and ends here.", 2)])
    assert find(chunks, "begins").text == "1. It begins here and ends here."
    assert find(chunks, "begins").pages == (1, 2)
    assert (find(chunks, "1999").footnotes, find(chunks, "1999").kind) == ((4,), "footnote")


def test_regulatory_text_is_cited_by_its_section() -> None:
    texts = (
        *ORDER_HEAD,
        "1. First.",
        "PART 50 – PERMITS",
        "**§ 50.4 Stakeholder participation.**",
        "(a) An applicant shall make good faith efforts to inform them.",
    )
    assert (
        find(read([line(text) for text in texts]), "good faith").section[-1]
        == "§ 50.4 Stakeholder participation."
    )


def test_a_heading_of_two_lines_is_one() -> None:
    texts = (*ORDER_HEAD, "**A. Eminent Domain and", "**Landowners", "1. First.")
    assert find(read([line(text) for text in texts]), "First").section == (
        "A. Eminent Domain and Landowners",
    )


def test_headings_of_other_documents_name_the_standard_of_what_follows() -> None:
    lines = [
        Line("Digest of BAL-003-2", 1, size=16.0),
        line("R1. Enough frequency response is kept by each of them all."),
    ]
    chunk = find(read(lines), "Enough")
    assert (chunk.standard, chunk.requirement) == ("BAL-003-2", "R1")


def test_real_standards_and_orders_are_cut_where_they_say(data_dir: Path) -> None:
    def real(name: str) -> list[Chunk]:
        path = data_dir / "pdfs" / name
        return chunks_of(path, read_pdf(path))

    part = find(real("NERC_cip-010-4.pdf"), "determined in 1.4.1 are not")
    assert (part.standard, part.requirement, part.parts[0], part.pages) == ("CIP-010-4", "R1", "1.4", (7,))
    paragraphs = {chunk.paragraph for chunk in real("FERC_Order1000-B_RM10-23-002_141FERC61044.pdf")}
    assert paragraphs >= set(range(1, 78))
