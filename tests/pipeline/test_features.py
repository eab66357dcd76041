"""The features: by the definitions, by time, without lookahead, with nothing hidden."""

import math
import statistics
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.series import BaseSeries
from pipeline.arrays import Floats
from pipeline.errors import FeatureError
from pipeline.features import FEATURE_NAMES, SiteEvents, events_of, feature_rows
from pipeline.timestamps import from_micros, to_micros

START = datetime(2024, 3, 31, 0, tzinfo=UTC)  # the clocks change in Luxembourg an hour later
TZ = "Europe/Luxembourg"


def events_at(seconds: list[float], net_load_kw: list[float]) -> SiteEvents:
    count = len(seconds)
    return SiteEvents(
        ts_us=np.array([to_micros(START) + round(s * 1e6) for s in seconds], dtype=np.int64),
        net_load_kw=np.array(net_load_kw),
        load_kw=np.full(count, 1000.0),
        solar_kw=np.full(count, 150.0),
        wind_kw=np.full(count, 50.0),
    )


def row_at(events: SiteEvents, place: int, cadence_s: float) -> dict[str, float]:
    rows = feature_rows(events, np.array([place]), cadence_s=cadence_s, site_tz=TZ)
    return dict(zip(FEATURE_NAMES, rows[0].tolist(), strict=True))


def by_the_definition(events: SiteEvents, place: int, cadence_s: float) -> dict[str, float]:
    """The definitions word for word, one event at a time, in plain Python."""
    now = int(events.ts_us[place])
    quanta = [round(float(v) * 1024) for v in events.net_load_kw]  # net load counts in 1/1024 kW
    past = [(int(t), n / 1024) for t, n in zip(events.ts_us, quanta, strict=True) if t <= now]
    found = {}
    for k in range(1, 13):
        wanted = now - k * cadence_s * 1e6
        near = [(abs(t - wanted), t, v) for t, v in past if abs(t - wanted) <= cadence_s * 1e6 / 2]
        found[f"lag_{k}_kw"] = min(near)[2] if near else math.nan
    for minutes in (5, 30):
        window = [v for t, v in past if now - minutes * 60e6 < t <= now]
        found[f"mean_{minutes}min_kw"] = statistics.fmean(window) if window else math.nan
        found[f"std_{minutes}min_kw"] = statistics.stdev(window) if len(window) > 1 else math.nan
    if len(past) > 1:
        (t0, v0), (t1, v1) = past[-2:]
        found["gradient_kw_per_min"] = (v1 - v0) / ((t1 - t0) / 60e6)
    else:
        found["gradient_kw_per_min"] = math.nan
    found["penetration"] = (150.0 + 50.0) / 1000.0
    local = from_micros(now).astimezone(ZoneInfo(TZ))
    hour = local.hour + local.minute / 60 + local.second / 3600 + local.microsecond / 3.6e9
    found["hour_sin"], found["hour_cos"] = math.sin(math.tau * hour / 24), math.cos(math.tau * hour / 24)
    return found


@settings(max_examples=60)
@given(
    gaps=st.lists(st.floats(1.0, 2000.0), min_size=1, max_size=60),
    cadence_s=st.sampled_from([5.0, 60.0, 300.0, 900.0, 1800.0]),
    seed=st.integers(0, 1000),
)
def test_rows_follow_the_definitions_word_for_word(gaps: list[float], cadence_s: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(500.0, 100.0, len(gaps)).tolist()
    events = events_at(np.cumsum(gaps).round(6).tolist(), values)
    for place in range(len(gaps)):
        expected = by_the_definition(events, place, cadence_s)
        assert row_at(events, place, cadence_s) == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def random_series(rows: int, cadence_s: float) -> BaseSeries:
    rng = np.random.default_rng(3)
    index = pd.date_range(START, periods=rows, freq=pd.Timedelta(seconds=cadence_s), unit="us", name="ts_utc")
    parts = {name: rng.normal(100.0, 30.0, rows) for name in ("load_kw", "solar_kw", "wind_kw")}
    frame = pd.DataFrame({**parts, "net_load_kw": parts["load_kw"] - parts["solar_kw"]}, index=index)
    return BaseSeries(frame, cadence_s)


def all_rows(events: SiteEvents, cadence_s: float = 5.0) -> Floats:
    return feature_rows(events, np.arange(len(events)), cadence_s=cadence_s, site_tz=TZ)


@settings(max_examples=30)
@given(places=st.lists(st.integers(0, 799), min_size=1, max_size=50))
def test_a_row_has_the_same_bits_whichever_rows_are_asked_for_with_it(places: list[int]) -> None:
    events = events_of(random_series(800, 5.0))
    whole = all_rows(events)
    some = feature_rows(events, np.array(places), cadence_s=5.0, site_tz=TZ)
    assert some.tobytes() == whole[places].tobytes()


@settings(max_examples=30)
@given(cut=st.integers(1, 799))
def test_rows_do_not_see_what_comes_after_them(cut: int) -> None:
    series = random_series(800, 5.0)
    short = BaseSeries(series.frame.iloc[:cut], 5.0)
    assert all_rows(events_of(short)).tobytes() == all_rows(events_of(series))[:cut].tobytes()


def test_lags_are_found_by_time_and_not_by_row() -> None:
    complete = events_at([0, 300, 600, 900], [1.0, 2.0, 3.0, 4.0])
    with_a_hole = events_at([0, 300, 900], [1.0, 2.0, 4.0])
    assert row_at(complete, 3, 300.0)["lag_1_kw"] == 3.0
    assert math.isnan(row_at(with_a_hole, 2, 300.0)["lag_1_kw"])
    assert row_at(with_a_hole, 2, 300.0)["lag_2_kw"] == 2.0


def test_a_lag_takes_the_nearest_observation_within_half_a_cadence() -> None:
    events = events_at([0, 100, 149, 151, 300], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert row_at(events, 4, 300.0)["lag_1_kw"] == 1.0
    assert row_at(events_at([149, 451], [3.0, 5.0]), 1, 300.0)["lag_1_kw"] == 3.0
    assert math.isnan(row_at(events_at([0, 451], [3.0, 5.0]), 1, 300.0)["lag_1_kw"])


def test_the_deviation_is_the_sample_deviation_and_missing_for_one_point() -> None:
    events = events_at([0, 60], [1.0, 3.0])
    assert math.isnan(row_at(events, 0, 60.0)["std_5min_kw"])
    assert row_at(events, 1, 60.0)["std_5min_kw"] == pytest.approx(math.sqrt(2.0))


def test_a_window_begins_just_after_its_left_end() -> None:
    events = events_at([0, 300], [10.0, 20.0])
    assert row_at(events, 1, 300.0)["mean_5min_kw"] == 20.0
    assert row_at(events, 1, 300.0)["mean_30min_kw"] == 15.0


def test_a_missing_net_load_is_left_out_and_never_becomes_zero() -> None:
    series = random_series(100, 60.0)
    series.frame.loc[series.frame.index[40:50], "net_load_kw"] = np.nan
    events = events_of(series)
    assert len(events) == 90
    first_after = row_at(events, 40, 60.0)
    assert math.isnan(first_after["lag_1_kw"])
    assert first_after["mean_5min_kw"] == pytest.approx(events.net_load_kw[40], abs=1 / 2048)


def test_an_empty_window_or_lag_is_missing_and_not_zero() -> None:
    lonely = row_at(events_at([0, 90_000], [1.0, 2.0]), 1, 300.0)
    missing = [name for name in FEATURE_NAMES if math.isnan(lonely[name])]
    assert missing == [*(f"lag_{k}_kw" for k in range(1, 13)), "std_5min_kw", "std_30min_kw"]


@pytest.mark.parametrize("load_kw", [0.0, -5.0, math.nan])
def test_penetration_is_missing_where_the_load_is_not_positive(load_kw: float) -> None:
    events = events_at([0], [1.0])
    events.load_kw[0] = load_kw
    assert math.isnan(row_at(events, 0, 300.0)["penetration"])


def test_penetration_is_missing_where_a_part_is_missing() -> None:
    events = events_at([0], [1.0])
    events.wind_kw[0] = math.nan
    assert math.isnan(row_at(events, 0, 300.0)["penetration"])


def test_the_hour_is_the_sites_own_also_when_the_clocks_change() -> None:
    events = events_at([3599.0, 3600.0], [1.0, 1.0])  # 01:59:59 and then 03:00:00 local
    before, after = row_at(events, 0, 5.0), row_at(events, 1, 5.0)
    assert math.atan2(before["hour_sin"], before["hour_cos"]) == pytest.approx(math.tau * (2 - 1 / 3600) / 24)
    assert math.atan2(after["hour_sin"], after["hour_cos"]) == pytest.approx(math.tau * 3 / 24)


def test_every_feature_is_really_computed() -> None:
    rows = all_rows(events_of(random_series(2000, 60.0)), 60.0)
    for name, column in zip(FEATURE_NAMES, rows.T, strict=True):
        known = column[~np.isnan(column)]
        assert len(known) > 1900, name
        assert len(np.unique(known)) > 100, f"{name} is constant"


def test_a_cadence_that_is_not_positive_is_refused() -> None:
    with pytest.raises(FeatureError, match="cadence_s: 0"):
        all_rows(events_at([0], [1.0]), 0.0)


def test_a_lag_never_reaches_into_the_future() -> None:
    events = events_at([0, 5, 10], [1.0, 2.0, 3.0])
    assert row_at(events, 1, 5.0)["lag_1_kw"] == 1.0
    later = events_at([0, 5, 5.1], [1.0, 2.0, 99.0])
    assert row_at(later, 1, 5.0) == pytest.approx(row_at(events_at([0, 5], [1.0, 2.0]), 1, 5.0), nan_ok=True)
