"""The watch over all sites says what one detector a site says, in any batching."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.forecast import Forecast, probability_beyond
from pipeline.instability import InstabilityDetector, InstabilityEvent
from pipeline.instability_watch import InstabilityWatch

START = datetime(2024, 5, 1, tzinfo=UTC)
LIMIT_KW = 100.0
CHANGES = st.sampled_from([float("nan"), 0.0, 99.0, 101.0, -130.0, 150.0, 260.0])
BANDS = st.sampled_from([(-20.0, 5.0, 40.0), (90.0, 110.0, 140.0), (-300.0, -210.0, -90.0), (0.0, 0.0, 0.0)])
FREQUENCIES = st.sampled_from([float("nan"), 60.0, 50.01, 59.0])
OBSERVATIONS = st.lists(
    st.tuples(st.integers(0, 2), CHANGES, st.none() | BANDS, FREQUENCIES, st.integers(1, 700)), max_size=60
)


def none_if_missing(value: float) -> float | None:
    return None if np.isnan(value) else value


@settings(max_examples=200)
@given(seen=OBSERVATIONS, cut=st.integers(1, 60))
def test_events_are_those_of_one_detector_a_site_in_any_batching(
    seen: list[tuple[int, float, tuple[float, float, float] | None, float, int]], cut: int
) -> None:
    at = [START + timedelta(seconds=sum(step for *_, step in seen[: i + 1])) for i in range(len(seen))]
    made = [
        None if band is None else Forecast(f"site-{site}", at[i], at[i], 0.0, *band, "m")
        for i, (site, _, band, _, _) in enumerate(seen)
    ]
    alone = {site: InstabilityDetector(f"site-{site}", LIMIT_KW) for site in range(3)}
    expected: dict[str, InstabilityEvent] = {}
    for i, (site, change, _, frequency, _) in enumerate(seen):
        event = alone[site].observe(
            at[i],
            change_kw=none_if_missing(change),
            forecast=made[i],
            frequency_hz=none_if_missing(frequency),
        )
        if event is not None:
            expected[event.event_id] = event
    watch = InstabilityWatch(LIMIT_KW)
    found: dict[str, InstabilityEvent] = {}
    for begin in range(0, len(seen), cut):
        part = seen[begin : begin + cut]
        changes = np.array([row[1] for row in part])
        bands = np.array([row[2] or (np.nan,) * 3 for row in part])
        frequencies = np.array([row[3] for row in part])
        events = watch.follow(
            np.array([row[0] for row in part]),
            watch.causes_kw(changes, bands, frequencies),
            change_kw=changes,
            frequency_hz=frequencies,
            sites=lambda i, begin=begin: f"site-{seen[begin + i][0]}",  # type: ignore[misc]
            moments=lambda i, begin=begin: at[begin + i],  # type: ignore[misc]
            forecasts=lambda i, begin=begin: made[begin + i],  # type: ignore[misc]
        )
        found |= {event.event_id: event for event in events}
    assert found == expected


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
