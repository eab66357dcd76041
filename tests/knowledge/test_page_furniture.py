"""Headers, footers, contents and hyphens."""

from knowledge.page_furniture import joined, vocabulary, without_furniture
from knowledge.pdf_lines import Line


def page(number: int, *texts: str, top: str = "", bottom: str = "") -> tuple[Line, ...]:
    lines = [Line(top, number, height=0.96)] if top else []
    lines += [Line(text, number, height=0.5) for text in texts]
    return (*lines, *([Line(bottom, number, height=0.04)] if bottom else []))


def texts(pages: list[tuple[Line, ...]]) -> list[list[str]]:
    return [[line.text for line in one] for one in pages]


def test_lines_that_return_at_the_edge_are_furniture_whatever_their_number() -> None:
    pages = [page(n, f"Matter {n}.", top="Order of May", bottom=f"Page {n} of 4") for n in range(1, 5)]
    assert texts(without_furniture(pages)) == [["Matter 1."], ["Matter 2."], ["Matter 3."], ["Matter 4."]]


def test_a_line_that_stands_once_at_the_edge_stays() -> None:
    pages = [page(1, "Matter.", top="The first sentence of the text"), *(page(n, "More.") for n in (2, 3, 4))]
    assert texts(without_furniture(pages))[0] == ["The first sentence of the text", "Matter."]


def test_a_line_that_returns_in_the_middle_stays() -> None:
    pages = [page(n, "Each operator shall act.") for n in range(1, 5)]
    assert texts(without_furniture(pages))[3] == ["Each operator shall act."]


def test_a_table_of_contents_is_left_out_with_its_title() -> None:
    entries = [f"{n}. Heading ........... {n}" for n in range(1, 7)]
    pages = [
        page(1, "Summary.", "TABLE OF CONTENTS", *entries[:3], "a long heading", *entries[3:], "I. Begin")
    ]
    assert texts(without_furniture(pages)) == [["Summary.", "I. Begin"]]


def test_hyphens_at_a_line_s_end_are_undone_where_the_word_is_known() -> None:
    pages = [
        page(
            1,
            "The configuration of host-based filters is kept. A host is known; so is based.",
            "An overview goes over a view.",
        )
    ]
    words = vocabulary(pages)
    assert joined(page(1, "the configu-", "ration"), words) == "the configuration"
    assert joined(page(1, "an over-", "view"), words) == "an overview"
    assert joined(page(1, "of host-", "based filters"), words) == "of host-based filters"
    assert joined(page(1, "in CIP-", "007-6 and"), words) == "in CIP-007-6 and"
    assert joined(page(1, "un\u00ad", "usual"), words) == "unusual"
