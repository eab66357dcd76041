"""The walk-forward backtest: leak-free, complete, better than its references."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.csv_series import read_csv_series
from grid.series import BaseSeries
from grid.units import UnitsError
from pipeline.errors import BacktestError, TrainingError
from pipeline.forecasting.scores import ramp_calls, score
from pipeline.forecasting.walk_forward import WalkForward, predictions_frame, prepare, walk_forward

TZ = "Europe/Luxembourg"
SPLIT = datetime(2024, 3, 22, tzinfo=UTC)
SeriesMaker = Callable[..., BaseSeries]


@pytest.fixture(scope="module")
def series(make_series: SeriesMaker) -> BaseSeries:
    return make_series(28.0, 1800.0)


@pytest.fixture(scope="module")
def walked(series: BaseSeries) -> WalkForward:
    return walk_forward(series, train_until=SPLIT, site_tz=TZ, refit=timedelta(days=3))


@pytest.mark.parametrize("hours", [7.5, 75.0])
def test_forecasts_before_a_cut_do_not_change_when_the_input_is_cut_there(
    series: BaseSeries, walked: WalkForward, hours: float
) -> None:
    cut = SPLIT + timedelta(hours=hours)
    short = BaseSeries(series.frame[series.frame.index <= cut], series.cadence_s)
    part = walk_forward(short, train_until=SPLIT, site_tz=TZ, refit=timedelta(days=3))
    rows = int(2 * hours) + 1
    assert len(part.at) == rows
    whole = predictions_frame(walked, series).iloc[:rows]
    pd.testing.assert_frame_equal(predictions_frame(part, short), whole, check_exact=True)


def test_training_targets_end_before_the_split(series: BaseSeries) -> None:
    start_us = int(SPLIT.timestamp()) * 1_000_000
    spoiled = series.frame.copy()
    spoiled.loc[spoiled.index >= SPLIT, "net_load_kw"] *= 100.0
    clean = prepare(series, site_tz=TZ, horizon_s=1800.0)
    other = prepare(BaseSeries(spoiled, 1800.0), site_tz=TZ, horizon_s=1800.0)
    rows = clean.rows[-50:]
    for found, expected in zip(
        other.fit(start_us).predict(rows), clean.fit(start_us).predict(rows), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    last = clean.known_before(start_us)[-1]
    assert clean.seen.ts_us[last] + 1_800_000_000 < start_us


def test_a_refit_learns_from_what_came_since(series: BaseSeries, walked: WalkForward) -> None:
    once = walk_forward(series, train_until=SPLIT, site_tz=TZ)
    assert [(moment - walked.start_us) / 86_400e6 for moment in walked.refits] == [0, 3, 6]
    assert len(once.refits) == 1
    until = 3 * 48
    np.testing.assert_array_equal(once.median_kw[:until], walked.median_kw[:until])
    assert (once.median_kw[until:] != walked.median_kw[until:]).any()


def test_every_row_from_the_split_on_has_a_line_and_is_blank_where_its_net_load_is_missing(
    series: BaseSeries,
) -> None:
    frame = series.frame.copy()
    frame.loc["2024-03-23 06:00", "net_load_kw"] = np.nan
    torn = BaseSeries(frame, series.cadence_s)
    found = predictions_frame(walk_forward(torn, train_until=SPLIT, site_tz=TZ), torn)
    assert list(found.columns) == ["issued_at", "target_at", "p10_kw", "p50_kw", "p90_kw"]
    assert len(found) == 7 * 48
    assert found["issued_at"].iloc[0] == SPLIT
    assert ((found["target_at"] - found["issued_at"]) == timedelta(minutes=30)).all()
    blank = found[found["p50_kw"].isna()]
    assert blank["issued_at"].tolist() == [pd.Timestamp("2024-03-23 06:00", tz="UTC")]


def test_the_drivers_of_a_forecast_sum_to_its_median(walked: WalkForward) -> None:
    rows = walked.prepared.rows[walked.at[-5:]]
    drivers = walked.model.explain(rows)
    median_kw, spread_kw = walked.model.predict(rows)
    np.testing.assert_allclose(sum(drivers.values()), median_kw, rtol=1e-3, atol=1e-2)
    assert {"recent", "same time", "excess", "solar", "linear stage", "average"} <= set(drivers)
    assert (spread_kw > 0).all()


def test_a_forecast_does_not_depend_on_its_batch(walked: WalkForward) -> None:
    rows = walked.prepared.rows[walked.at]
    whole = walked.model.predict(rows)
    for at in (slice(0, 1), slice(3, 50)):
        for found, expected in zip(walked.model.predict(rows[at]), whole, strict=True):
            np.testing.assert_array_equal(found, expected[at])


def test_on_a_daily_course_it_beats_persistence_and_scores_by_hour_and_month(walked: WalkForward) -> None:
    scores = score(walked)
    assert scores.overall["skill_persistence"] > 0.5
    assert scores.overall["rows"] == 7 * 48 - 1
    assert sum(float(group["rows"]) for group in scores.by_hour) == scores.overall["rows"]
    assert [group["month"] for group in scores.by_month] == ["2024-03"]
    assert len(scores.by_hour) == 24


def test_a_ramp_call_hits_with_the_right_sign_alone() -> None:
    change, median = np.array([10.0, 10.0, -10.0, 1.0]), np.array([8.0, -8.0, -2.0, 8.0])
    precision, recall = ramp_calls(change, median, ramp_kw=9.0, called_kw=7.0)
    assert precision == pytest.approx(1 / 3)
    assert recall == pytest.approx(1 / 3)


def test_too_little_before_the_split_nothing_after_it_or_no_zone_is_an_error(series: BaseSeries) -> None:
    with pytest.raises(TrainingError, match="later time"):
        walk_forward(series, train_until=datetime(2024, 3, 2, tzinfo=UTC), site_tz=TZ)
    with pytest.raises(BacktestError, match="2030"):
        walk_forward(series, train_until=datetime(2030, 1, 1, tzinfo=UTC), site_tz=TZ)
    with pytest.raises(UnitsError, match="train_until"):
        walk_forward(series, train_until=datetime(2024, 3, 22), site_tz=TZ)  # noqa: DTZ001
    with pytest.raises(BacktestError, match="refit"):
        walk_forward(series, train_until=SPLIT, site_tz=TZ, refit=timedelta(hours=3))


def test_on_luxembourgs_residual_load_it_beats_drift_by_a_tenth_and_its_band_holds(data_dir: Path) -> None:
    series = read_csv_series(data_dir / "luxembourg_load_15min_2020_2024H1.csv.gz").series
    frame = series.frame[(series.frame.index >= "2020-06-01") & (series.frame.index < "2020-11-01")]
    found = walk_forward(
        BaseSeries(frame, series.cadence_s), train_until=datetime(2020, 10, 1, tzinfo=UTC), site_tz=TZ
    )
    overall = score(found).overall
    assert overall["skill_drift"] > 0.1
    assert overall["coverage"] == pytest.approx(0.8, abs=0.04)
    assert overall["coverage_top_ramps"] > 0.5
