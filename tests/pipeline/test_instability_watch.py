"""The watch over all sites says what each site alone says, in any batching."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.frequency import FREQUENCY_DEADBAND_HZ
from pipeline.forecast import Forecast, probability_beyond
from pipeline.instability import CALM_BEFORE_END, EventKind, InstabilityEvent, event_id
from pipeline.instability_watch import InstabilityWatch
from pipeline.timestamps import to_micros

START = datetime(2024, 5, 1, tzinfo=UTC)
LIMIT_KW = 100.0
CHANGES = st.sampled_from([float("nan"), 0.0, 99.0, 101.0, -130.0, 150.0, 260.0])
BANDS = st.sampled_from([(-20.0, 5.0, 40.0), (90.0, 110.0, 140.0), (-300.0, -210.0, -90.0), (0.0, 0.0, 0.0)])
FREQUENCIES = st.sampled_from([float("nan"), 60.0, 50.01, 59.0])
OBSERVATIONS = st.lists(
    st.tuples(st.integers(0, 2), CHANGES, st.none() | BANDS, FREQUENCIES, st.integers(1, 700)), max_size=60
)


class OneSite:
    """The definition, one observation at a time."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._open: InstabilityEvent | None = None
        self._last_cause_at = START

    def observe(
        self, at: datetime, change_kw: float, forecast: Forecast | None, frequency_hz: float
    ) -> InstabilityEvent | None:
        cause = self._cause(change_kw, forecast, frequency_hz)
        if cause is not None:
            self._last_cause_at = at
            return self._grow(at, *cause)
        if self._open is None or at - self._last_cause_at < CALM_BEFORE_END:
            return None
        ended, self._open = replace(self._open, ended_at=at), None
        return ended

    def _cause(
        self, change_kw: float, forecast: Forecast | None, frequency_hz: float
    ) -> tuple[EventKind, float | None] | None:
        if abs(change_kw) > LIMIT_KW:
            return "measured_ramp", change_kw
        if forecast is not None and forecast.probability_beyond(LIMIT_KW) >= 0.5:
            return "forecast_ramp", forecast.p50_kw
        outside = min(abs(frequency_hz - nominal) for nominal in (50.0, 60.0)) > FREQUENCY_DEADBAND_HZ
        return ("frequency", None) if outside else None

    def _grow(self, at: datetime, kind: EventKind, change_kw: float | None) -> InstabilityEvent | None:
        event = self._open or InstabilityEvent(
            event_id(self._site, at), self._site, kind, at, None, "warning", None
        )
        larger = change_kw is not None and abs(change_kw) > abs(event.cause_kw or 0.0)
        if self._open is not None and not larger:
            return None
        if change_kw is not None and (larger or event.cause_kw is None):
            critical = event.severity == "critical" or abs(change_kw) >= 2 * LIMIT_KW
            event = replace(event, cause_kw=change_kw, severity="critical" if critical else "warning")
        self._open = event
        return event


@settings(max_examples=300)
@given(seen=OBSERVATIONS, cut=st.integers(1, 60))
def test_events_are_those_of_one_site_at_a_time_in_any_batching(
    seen: list[tuple[int, float, tuple[float, float, float] | None, float, int]], cut: int
) -> None:
    at = [START + timedelta(seconds=sum(step for *_, step in seen[: i + 1])) for i in range(len(seen))]
    alone = {site: OneSite(f"site-{site}") for site in range(3)}
    expected: dict[str, InstabilityEvent] = {}
    for moment, (site, change_kw, band, hz, _) in zip(at, seen, strict=True):
        made = None if band is None else Forecast(f"site-{site}", moment, moment, 0.0, *band, "m")
        event = alone[site].observe(moment, change_kw, made, hz)
        if event is not None:
            expected[event.event_id] = event
    watch = InstabilityWatch(LIMIT_KW)
    found: dict[str, InstabilityEvent] = {}
    for begin in range(0, len(seen), cut):
        part = seen[begin : begin + cut]
        changed = watch.follow(
            np.array([row[0] for row in part]),
            np.array([to_micros(moment) // 1000 for moment in at[begin : begin + cut]]),
            change_kw=np.array([row[1] for row in part]),
            bands_kw=np.array([row[2] or (np.nan,) * 3 for row in part]),
            frequency_hz=np.array([row[3] for row in part]),
        )
        found |= {event.event_id: event for event in changed.events([f"site-{row[0]}" for row in part])}
    assert found == expected


def test_a_resumed_event_goes_on_and_a_forgotten_one_does_not() -> None:
    event = InstabilityEvent(
        event_id("a", START), "a", "measured_ramp", START, None, severity="critical", cause_kw=250.0
    )
    watch = InstabilityWatch(LIMIT_KW)
    watch.resume(3, event)
    calm = one_of_row_3(watch, START + timedelta(minutes=9), 0.0)
    assert calm == []
    assert one_of_row_3(watch, START + timedelta(minutes=9), 260.0) == [replace(event, cause_kw=260.0)]
    watch.forget([3, 99])
    assert one_of_row_3(watch, START + timedelta(minutes=30), 0.0) == []


def test_a_site_whose_event_ended_holds_no_state() -> None:
    watch = InstabilityWatch(LIMIT_KW)
    for begin in range(0, 20_000, 20):
        assert len(one_of_row_3(watch, START + timedelta(minutes=begin), 150.0)) == 1
        assert len(one_of_row_3(watch, START + timedelta(minutes=begin + 11), 0.0)) == 1
    assert watch.nbytes < 1000


def one_of_row_3(watch: InstabilityWatch, at: datetime, change_kw: float) -> list[InstabilityEvent]:
    missing = np.full(1, np.nan)
    changed = watch.follow(
        np.array([3]),
        np.array([to_micros(at) // 1000]),
        change_kw=np.array([change_kw]),
        bands_kw=np.full((1, 3), np.nan),
        frequency_hz=missing,
    )
    return list(changed.events(["a"]))


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=1), st.floats(0.0, 1e6))
def test_probabilities_of_many_bands_are_those_of_one_to_the_bit(
    rows: list[tuple[float, float, float]], limit_kw: float
) -> None:
    bands = np.sort(np.array(rows), axis=1)
    one = [
        Forecast("a", START, START, 0.0, p10, p50, p90, "m").probability_beyond(limit_kw)
        for p10, p50, p90 in bands.tolist()
    ]
    assert probability_beyond(bands, limit_kw).tolist() == one
