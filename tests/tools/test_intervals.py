from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.telemetry import AREA_SITE, Telemetry
from tools.intervals import interval_start, intervals_looked_back, local_day, net_load_means

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=230 * 365)).map(lambda since: EPOCH + since)
LENGTHS = st.sampled_from([60.0, 300.0, 420.0, 900.0, 1800.0, 3600.0])


@given(MOMENTS, LENGTHS)
def test_a_border_lies_at_most_an_interval_back_and_is_its_own_border(at: datetime, length_s: float) -> None:
    border = interval_start(at, length_s)
    assert timedelta(0) <= at - border < timedelta(seconds=length_s)
    assert interval_start(border, length_s) == border
    assert border.timestamp() % length_s == 0


@pytest.mark.parametrize(
    ("at", "start", "hours"),
    [
        ("2024-03-31T10:00:00+00:00", "2024-03-30T23:00:00+00:00", 23),
        ("2024-03-30T23:00:00+00:00", "2024-03-30T23:00:00+00:00", 23),
        ("2024-10-27T22:59:59+00:00", "2024-10-26T22:00:00+00:00", 25),
        ("2024-10-27T23:00:00+00:00", "2024-10-27T23:00:00+00:00", 24),
    ],
)
def test_a_local_day_begins_at_its_midnight_and_has_its_own_length(at: str, start: str, hours: int) -> None:
    found = local_day(datetime.fromisoformat(at), "Europe/Luxembourg")
    assert found == (
        datetime.fromisoformat(start),
        datetime.fromisoformat(start) + timedelta(hours=hours),
    )


@pytest.mark.parametrize(("length_s", "count"), [(300.0, 7), (900.0, 3), (1800.0, 2), (3600.0, 2)])
def test_half_an_hour_and_the_newest_interval_are_looked_at(length_s: float, count: int) -> None:
    assert intervals_looked_back(length_s) == count


def test_a_mean_rests_on_what_was_measured_and_zero_is_a_measurement() -> None:
    first = datetime(2024, 5, 4, tzinfo=UTC)
    levels = [(0, 0.0), (5, 10.0), (300, None), (899, -6.0), (900, 7.0), (-1, 99.0)]
    pulses = [Telemetry(AREA_SITE, first + timedelta(seconds=s), net_load_kw=kw) for s, kw in levels]
    assert net_load_means(pulses, first, 300.0, 3) == [5.0, None, -6.0]
