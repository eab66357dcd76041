"""Figures, ages and times as operators read them; across the ends of summer time too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_console.viewpoint import Age, Viewpoint
from operator_console.words import LocalTime, figure, flow, left, old, span, zone_named

NEW_YORK = ZoneInfo("America/New_York")
AUTUMN = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 summer time; an hour later it is 01:30 again
SPRING = datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC)  # 01:59:59; a second later it is 03:00:00


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    later = AUTUMN + timedelta(hours=1)
    local = LocalTime(NEW_YORK, later)
    assert local.clock() == "Sun 01 Nov 2026 01:30:00 EST"
    assert local.at(later) == "01:30:00"
    assert local.at(AUTUMN) == "01:30:00 EDT", "an hour before, by the other offset"
    assert LocalTime(NEW_YORK, AUTUMN).at(later) == "01:30:00 EST"


def test_the_hour_that_is_left_out_is_not_shown() -> None:
    assert LocalTime(NEW_YORK, SPRING).clock() == "Sun 08 Mar 2026 01:59:59 EST"
    assert LocalTime(NEW_YORK, SPRING + timedelta(seconds=1)).clock() == "Sun 08 Mar 2026 03:00:00 EDT"


@given(
    minute=st.integers(0, 4 * 366 * 1440),
    before_s=st.integers(1, 4 * 3600),
    name=st.sampled_from(["America/New_York", "Europe/Luxembourg", "Australia/Lord_Howe", "UTC"]),
)
def test_two_moments_of_a_few_hours_never_read_the_same(minute: int, before_s: int, name: str) -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    local = LocalTime(ZoneInfo(name), now)
    assert local.at(now) != local.at(now - timedelta(seconds=before_s))


def test_another_day_carries_its_date_and_another_year_its_year() -> None:
    local = LocalTime(ZoneInfo("UTC"), datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    assert local.at(datetime(2026, 1, 1, 0, 4, tzinfo=UTC), seconds=False) == "00:04"
    assert local.at(datetime(2025, 12, 31, 23, 59, tzinfo=UTC)) == "31 Dec 2025 23:59:00"
    assert local.at(None) == "–"


@pytest.mark.parametrize("name", ["", "Nowhere/Here", "../etc/passwd", "/etc/localtime", "\x00", "A" * 300])
def test_a_zone_that_is_none_gives_the_areas(name: str) -> None:
    assert zone_named(name, "Europe/Luxembourg").key == "Europe/Luxembourg"


def test_the_browsers_zone_is_taken() -> None:
    assert zone_named("Asia/Kolkata", "UTC").key == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (1234.4, "1,234 kW"), (-0.2, "0 kW"), (-1500.0, "−1,500 kW"), (0.0, "0 kW"),
    ],
)  # fmt: skip
def test_a_missing_figure_is_a_dash_and_never_zero(value: float | None, text: str) -> None:
    assert figure(value, "kW") == text


def test_signed_figures_show_their_sign_but_for_zero() -> None:
    assert [figure(value, "kW", sign=True) for value in (2.0, -2.0, 0.3)] == ["+2 kW", "−2 kW", "0 kW"]
    assert figure(-0.004, "USD", 2, sign=True) == "0.00 USD"


def test_an_age_says_that_it_is_stale() -> None:
    view = Viewpoint(AUTUMN, 60.0)
    assert old(view.age(AUTUMN - timedelta(seconds=59))) == "59 s old"
    assert old(view.age(AUTUMN - timedelta(minutes=5))) == "stale: 5 min old"
    assert old(Age(None, None, stale=True)) == "never received"
    assert view.age(AUTUMN + timedelta(seconds=3)).age_s == 0.0


def test_durations_are_as_coarse_as_they_are_long() -> None:
    assert [span(s) for s in (0, 99, 120, 7_200, 200_000)] == ["0 s", "99 s", "2 min", "2.0 h", "2 days"]
    assert [left(s) for s in (-5, 59.9, 61, 3_661)] == ["0:00 min", "0:59 min", "1:01 min", "1 h 01 min"]


@pytest.mark.parametrize(
    ("power_kw", "text"), [(None, ""), (0.0, "at rest"), (5.0, "discharging"), (-5.0, "charging")]
)
def test_positive_power_injects(power_kw: float | None, text: str) -> None:
    assert flow(power_kw, "charging", "discharging") == text
