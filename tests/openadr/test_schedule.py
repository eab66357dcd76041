"""When the intervals of an event lie."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from smartgrid.openadr.schedule import FOREVER, in_force, spans
from smartgrid.openadr.signals import Event, Interval, Payload, Period

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SIGNAL = (Payload("SIMPLE", (1,)),)
ENDLESS = timedelta(days=3_649_635)
"""``P9999Y`` as the client reads it."""


def event_of(
    *periods: Period | None, period: Period | None = None, duration: timedelta | None = None
) -> Event:
    intervals = tuple(Interval(number, SIGNAL, own) for number, own in enumerate(periods))
    return Event("e1", NOON, intervals, period=period, duration=duration)


def times(event: Event) -> list[tuple[datetime, datetime]]:
    return [(span.start, span.end) for span in spans(event)]


def test_intervals_without_periods_follow_one_another() -> None:
    event = event_of(None, None, period=Period(NOON, QUARTER))
    assert times(event) == [(NOON, NOON + QUARTER), (NOON + QUARTER, NOON + 2 * QUARTER)]


def test_an_intervals_own_period_goes_before_the_events() -> None:
    later = Period(NOON + 3 * QUARTER, 2 * QUARTER)
    event = event_of(None, later, None, period=Period(NOON, QUARTER))
    assert times(event)[1:] == [
        (NOON + 3 * QUARTER, NOON + 5 * QUARTER),
        (NOON + 5 * QUARTER, NOON + 6 * QUARTER),
    ]


def test_an_interval_that_starts_at_the_beginning_of_time_joins_the_one_before() -> None:
    event = event_of(Period(NOON, QUARTER), Period(None, 2 * QUARTER))
    assert times(event)[1] == (NOON + QUARTER, NOON + 3 * QUARTER)


def test_an_endless_event_from_the_beginning_of_time_is_in_force_now() -> None:
    event = event_of(None, period=Period(None, ENDLESS))
    assert in_force(event, NOON) is not None


def test_a_cancelled_event_of_no_length_is_never_in_force() -> None:
    assert in_force(event_of(None, period=Period(None, timedelta(0))), NOON) is None
    assert in_force(event_of(None, period=Period(NOON, timedelta(0))), NOON) is None


def test_an_endless_interval_does_not_overflow() -> None:
    assert times(event_of(None, None, period=Period(NOON, ENDLESS))) == [(NOON, FOREVER), (FOREVER, FOREVER)]


def test_the_events_duration_cuts_its_intervals() -> None:
    event = event_of(None, None, period=Period(NOON, QUARTER), duration=timedelta(minutes=20))
    assert times(event)[1] == (NOON + QUARTER, NOON + timedelta(minutes=20))


def test_of_two_intervals_that_overlap_the_one_that_began_last_rules() -> None:
    within = Period(NOON + QUARTER, QUARTER)
    event = event_of(Period(NOON, 4 * QUARTER), within)
    numbers = [span.interval.number for at in range(4) if (span := in_force(event, NOON + at * QUARTER))]
    assert numbers == [0, 1, 0, 0]


def test_intervals_without_any_period_are_left_out() -> None:
    assert times(event_of(None)) == []


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.integers(-(10**6), 10**7))
def test_contiguous_intervals_leave_no_gap_and_no_overlap(lengths: list[int], after_s: int) -> None:
    periods = [Period(None, timedelta(seconds=length)) for length in lengths]
    event = event_of(*periods, period=Period(NOON, QUARTER))
    at = NOON + timedelta(seconds=after_s)
    inside = NOON <= at < NOON + timedelta(seconds=sum(lengths))
    holding = [span for span in spans(event) if span.start <= at < span.end]
    assert len(holding) == int(inside)
    assert (in_force(event, at) is not None) == inside
