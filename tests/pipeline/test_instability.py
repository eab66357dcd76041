"""Forecast bands and instability events, by the definitions."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.instability_watch import InstabilityWatch
from pipeline.timestamps import to_micros

START = datetime(2024, 5, 1, tzinfo=UTC)
LIMIT_KW = 100.0


def band(p10_kw: float, p50_kw: float, p90_kw: float) -> Forecast:
    return Forecast("area", START, START + timedelta(minutes=30), 500.0, p10_kw, p50_kw, p90_kw, "m")


CALM = band(-20.0, 0.0, 20.0)


@pytest.fixture
def watch() -> InstabilityWatch:
    return InstabilityWatch(LIMIT_KW)


def observe(
    watch: InstabilityWatch,
    minute: float,
    change_kw: float = 0.0,
    forecast: Forecast | None = CALM,
    frequency_hz: float = 60.0,
    *,
    site: str = "area",
) -> InstabilityEvent | None:
    """The event that one observation of one site began, changed or ended."""
    made = (np.nan,) * 3 if forecast is None else (forecast.p10_kw, forecast.p50_kw, forecast.p90_kw)
    changed = watch.follow(
        np.array([0]),
        np.array([to_micros(START + timedelta(minutes=minute)) // 1000]),
        change_kw=np.array([change_kw]),
        bands_kw=np.array([made]),
        frequency_hz=np.array([frequency_hz]),
    )
    return next(changed.events([site]), None)


@pytest.mark.parametrize(
    ("p10", "p50", "p90", "expected"),
    [
        (-20.0, 0.0, 20.0, 0.0),
        (60.0, 100.0, 140.0, 0.5),
        (100.0, 140.0, 180.0, 0.9),
        (20.0, 60.0, 100.0, 0.1),
        (-140.0, -100.0, -60.0, 0.5),
        (-80.0, 0.0, 80.0, 0.0),
        (-160.0, 0.0, 160.0, 0.5),
        (200.0, 200.0, 200.0, 1.0),
        (0.0, 0.0, 0.0, 0.0),
    ],
)
def test_probability_beyond_is_linear_between_the_quantiles(
    p10: float, p50: float, p90: float, expected: float
) -> None:
    assert band(p10, p50, p90).probability_beyond(LIMIT_KW) == pytest.approx(expected)


def test_outside_the_quantiles_the_slope_goes_on() -> None:
    assert band(0.0, 50.0, 98.0).probability_beyond(104.0) == pytest.approx(0.05)
    assert band(0.0, 50.0, 98.0).probability_beyond(120.0) == 0.0


def test_nothing_happens_in_calm(watch: InstabilityWatch) -> None:
    assert all(observe(watch, minute) is None for minute in range(60))


def test_an_expected_ramp_begins_an_event_at_half_probability(watch: InstabilityWatch) -> None:
    assert observe(watch, 0, forecast=band(50.0, 99.0, 140.0)) is None
    event = observe(watch, 5, forecast=band(60.0, 100.0, 140.0))
    assert event is not None
    assert (event.kind, event.severity, event.cause_kw) == ("forecast_ramp", "warning", 100.0)


def test_a_measured_ramp_of_either_sign_begins_an_event(watch: InstabilityWatch) -> None:
    assert observe(watch, 0, change_kw=100.0) is None
    event = observe(watch, 5, change_kw=-100.1)
    assert event is not None
    assert (event.kind, event.cause_kw) == ("measured_ramp", -100.1)


def test_frequency_outside_its_deadband_begins_an_event(watch: InstabilityWatch) -> None:
    assert observe(watch, 0, frequency_hz=59.97) is None
    assert observe(watch, 1, frequency_hz=50.03) is None
    event = observe(watch, 2, frequency_hz=59.95)
    assert event is not None
    assert (event.kind, event.cause_kw) == ("frequency", None)


def test_an_event_ends_after_ten_calm_minutes(watch: InstabilityWatch) -> None:
    began = observe(watch, 0, change_kw=150.0)
    assert began is not None
    assert observe(watch, 5) is None
    assert observe(watch, 7, change_kw=101.0) is None
    assert observe(watch, 16.9) is None
    ended = observe(watch, 17)
    assert ended is not None
    assert ended.ended_at == START + timedelta(minutes=17)
    assert ended.event_id == began.event_id
    assert observe(watch, 18) is None


def test_twice_the_limit_is_critical_and_stays_so(watch: InstabilityWatch) -> None:
    first = observe(watch, 0, change_kw=150.0)
    worse = observe(watch, 5, change_kw=-200.0)
    assert first is not None
    assert worse is not None
    assert (first.severity, worse.severity) == ("warning", "critical")
    assert worse.cause_kw == -200.0
    assert observe(watch, 10, change_kw=160.0) is None


def test_missing_values_neither_begin_nor_prolong_an_event(watch: InstabilityWatch) -> None:
    assert observe(watch, 0, change_kw=np.nan, forecast=None, frequency_hz=np.nan) is None
    observe(watch, 5, change_kw=150.0)
    ended = observe(watch, 15, change_kw=np.nan, forecast=None, frequency_hz=np.nan)
    assert ended is not None
    assert ended.ended_at is not None


def test_an_event_has_the_same_id_in_every_run() -> None:
    ids = set()
    for _ in range(2):
        event = observe(InstabilityWatch(LIMIT_KW), 3, change_kw=150.0)
        assert event is not None
        ids.add(event.event_id)
    other = observe(InstabilityWatch(LIMIT_KW), 3, change_kw=150.0, site="other")
    assert other is not None
    assert len(ids) == 1
    assert other.event_id not in ids
