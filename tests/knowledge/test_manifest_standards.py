"""The table of standards: which version is in force when."""

import csv
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.standards import known_standards, status_of

DAYS = st.dates(date(1990, 1, 1), date(2040, 1, 1))


@pytest.mark.parametrize(
    ("standard", "on", "status"),
    [
        ("CIP-003-8", date(2026, 3, 31), "in force"),
        ("CIP-003-8", date(2026, 4, 1), "superseded"),
        ("CIP-003-9", date(2026, 3, 31), "not yet in force"),
        ("cip-003-9", date(2026, 4, 1), "in force"),
        ("CIP-007-7", date(2026, 4, 1), "pending approval"),
        ("FERC Order No. 841", date(2018, 6, 3), "not yet in force"),
        ("order 841", date(2018, 6, 4), "in force"),
        ("BAL-002-2(i)", date(2018, 6, 4), "in force"),
    ],
)
def test_a_standard_is_in_force_from_its_first_day_until_the_next_version(
    standard: str, on: date, status: str
) -> None:
    found = status_of(standard, on)
    assert found is not None
    assert found.status == status


def test_without_a_version_the_one_in_force_on_that_day_is_meant() -> None:
    before, after = status_of("CIP-003", date(2026, 3, 31)), status_of("CIP 003", date(2026, 4, 1))
    assert before is not None
    assert after is not None
    assert (before.standard, after.standard) == ("CIP-003-8", "CIP-003-9")


def test_a_superseded_version_names_the_one_to_follow() -> None:
    old = status_of("CIP-003-8", date(2026, 4, 1))
    assert old is not None
    assert old.words == "CIP-003-8: no longer in force since 2026-04-01, follow CIP-003-9"


@pytest.mark.parametrize("name", ["", "CIP-099-1", "CIP-007-66", "BAL", "Order No. 9999", "Order 84", "?"])
def test_what_is_not_in_the_table_has_no_status(name: str) -> None:
    assert status_of(name, date(2026, 1, 1)) is None


@given(st.text(max_size=30), DAYS)
def test_no_text_breaks_the_look_up(text: str, day: date) -> None:
    found = status_of(text, day)
    assert found is None or found.standard in known_standards()


@given(DAYS)
def test_no_day_has_two_versions_of_one_standard_in_force(day: date) -> None:
    in_force = [
        found.standard.rsplit("-", 1)[0]
        for number in known_standards()
        if (found := status_of(number, day)) is not None
        and found.status == "in force"
        and not number.startswith("FERC")
    ]
    assert len(in_force) == len(set(in_force))


def test_the_versions_of_a_standard_follow_each_other_without_a_gap() -> None:
    for number in known_standards():
        row = status_of(number)
        assert row is not None
        if row.replaced_by is not None:
            following = status_of(row.replaced_by)
            assert following is not None
            assert following.effective_from == row.inactive_from


def test_the_dates_are_those_of_the_public_table(data_dir: Path) -> None:
    """Oracle: NERC's one-stop table; our inactive_from is the day after its last day in force."""
    with (data_dir / "nerc_one_stop_shop_standards_2025-11.csv").open(encoding="utf-8", newline="") as file:
        public = {row["Standard Number"]: row for row in csv.DictReader(file)}
    for number in known_standards():
        if number.startswith("FERC") or number == "CIP-015-1":  # its approval came after that table
            continue
        found = status_of(number)
        assert found is not None
        row = public[number]
        assert (found.effective_from or "") == _day(row["Effective Date of Standard"])
        if row["Inactive Date of Standard"] and number != "CIP-014-2":  # handed over on its last day
            last = _day(row["Inactive Date of Standard"])
            assert found.inactive_from is not None
            assert isinstance(last, date)
            assert (found.inactive_from - last).days == 1
        words = set(re.findall(r"\w+", row["Standard Title"].lower()))
        assert words == set(re.findall(r"\w+", found.title.lower()))


def _day(text: str) -> date | str:
    return date.fromisoformat(text) if text else ""
