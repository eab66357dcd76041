"""Identifiers in questions."""

import pytest

from knowledge.identifiers import find_identifiers, same_standard


@pytest.mark.parametrize(
    ("question", "field", "expected"),
    [
        ("CIP-010-4 R1 1.4", "standards", ("CIP-010-4",)),
        ("CIP-010-4 R1 1.4", "requirements", ("R1",)),
        ("CIP-010-4 R1 1.4", "parts", ("1.4",)),
        ("what does cip 7 want", "standards", ()),
        ("what does cip 007 want", "standards", ("CIP-007",)),
        ("CIP-002-5.1a Attachment 1", "standards", ("CIP-002-5.1a",)),
        ("CIP-002-5.1a Attachment 1", "attachments", ("attachment 1",)),
        ("R2.3 of BAL-003", "parts", ("2.3",)),
        ("Requirement R6 Part 6.3", "requirements", ("R6",)),
        ("Requirement 6 of BAL-003", "requirements", ("R6",)),
        ("Requirement 2.3 of BAL-003", "requirements", ()),
        ("Requirement 2.3 of BAL-003", "parts", ("2.3",)),
        ("¶ 57", "paragraphs", ("57",)),
        ("Order No. 1977 at P 264", "paragraphs", ("264",)),
        ("Order No. 1977 at P 264", "orders", ("1977",)),
        ("Order 1000-b", "orders", ("1000-B",)),
        ("187 FERC ¶ 61,069", "cited", ("187 FERC ¶ 61,069",)),
        ("187 FERC ¶ 61,069", "paragraphs", ()),
        ("18 CFR 50.11(d)", "sections", ("50.11",)),
        ("CIP-003-8 Section 4.5", "numbered", ("4.5",)),
        ("docket RM22-7-000", "cited", ("RM22-7-000",)),
        ("footnote 12", "footnotes", ("12",)),
        ("0.5 per unit within 30.5 seconds at 1.25 %", "standards", ()),
    ],
)
def test_identifiers_are_found(question: str, field: str, expected: tuple[str, ...]) -> None:
    assert getattr(find_identifiers(question), field) == expected


def test_what_is_not_an_identifier_is_left_over() -> None:
    assert find_identifiers("What does CIP-007 R2 want for patches?").rest.split() == [
        "What",
        "does",
        "want",
        "for",
        "patches?",
    ]


def test_a_measure_is_told_from_its_requirement() -> None:
    assert find_identifiers("M4 of CIP-007-6").measure
    assert not find_identifiers("R4 of CIP-007-6").measure


def test_a_name_without_a_version_fits_every_version() -> None:
    assert same_standard("BAL-003", "BAL-003-2")
    assert not same_standard("BAL-003-1", "BAL-003-2")
    assert not same_standard("BAL-00", "BAL-003-2")
