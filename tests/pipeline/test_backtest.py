"""The backtest: leak-free, complete, honest about what it cannot know."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from grid.units import UnitsError
from pipeline.backtest import backtest_forecast, drift_reference
from pipeline.errors import BacktestError
from pipeline.features import events_of

TZ = "Europe/Luxembourg"
SPLIT = datetime(2024, 5, 4, tzinfo=UTC)


def test_every_row_from_the_split_on_has_a_line_and_is_blank_where_its_input_is_missing(
    series: BaseSeries,
) -> None:
    frame = series.frame.copy()
    frame.loc["2024-05-04 06:00", "net_load_kw"] = np.nan
    found = backtest_forecast(BaseSeries(frame, 300.0), train_until=SPLIT, site_tz=TZ).predictions
    assert list(found.columns) == ["issued_at", "target_at", "p10_kw", "p50_kw", "p90_kw"]
    assert len(found) == 288
    assert found["issued_at"].iloc[0] == SPLIT
    assert ((found["target_at"] - found["issued_at"]) == timedelta(minutes=30)).all()
    blank = found[found["p50_kw"].isna()]
    assert blank["issued_at"].tolist() == [pd.Timestamp("2024-05-04 06:00", tz="UTC")]


@pytest.mark.parametrize("cut", [100, 250])
def test_predictions_before_a_cut_do_not_change_when_the_input_is_cut_there(
    series: BaseSeries, cut: int
) -> None:
    whole = backtest_forecast(series, train_until=SPLIT, site_tz=TZ)
    moment = SPLIT + cut * timedelta(minutes=5)
    short = series.frame[series.frame.index <= moment]
    part = backtest_forecast(BaseSeries(short, 300.0), train_until=SPLIT, site_tz=TZ)
    assert len(part.predictions) == cut + 1
    pd.testing.assert_frame_equal(part.predictions, whole.predictions.iloc[: cut + 1], check_exact=True)


def test_training_targets_end_before_the_split(series: BaseSeries) -> None:
    spoiled = series.frame.copy()
    spoiled.loc[spoiled.index >= SPLIT, "net_load_kw"] *= 100.0
    clean = backtest_forecast(series, train_until=SPLIT, site_tz=TZ).model
    assert (
        backtest_forecast(BaseSeries(spoiled, 300.0), train_until=SPLIT, site_tz=TZ).model.name == clean.name
    )
    assert datetime.fromisoformat(clean.metadata.data_end) + timedelta(minutes=30) < SPLIT


def test_the_drift_reference_is_the_mean_same_time_change_of_seven_days() -> None:
    index = pd.date_range("2024-05-01", periods=9 * 24, freq="1h", tz="UTC", unit="us", name="ts_utc")
    level = np.arange(9 * 24, dtype=np.float64) ** 2
    events = events_of(BaseSeries(pd.DataFrame({"net_load_kw": level}, index=index), 3600.0))
    drift = drift_reference(events, events.ts_us, horizon_s=3600.0, cadence_s=3600.0)
    assert np.isnan(drift[:24]).all()
    last = len(level) - 1
    past = [level[last - 24 * day + 1] - level[last - 24 * day] for day in range(1, 8)]
    assert drift[last] == pytest.approx(np.mean(past))


def test_another_horizon_is_its_own_model(series: BaseSeries) -> None:
    found = backtest_forecast(series, train_until=SPLIT, site_tz=TZ, horizon_s=3600.0)
    assert (found.predictions["target_at"] - found.predictions["issued_at"]).iloc[0] == timedelta(hours=1)
    assert found.metrics["rows"] == 288 - 12


def test_a_split_after_the_end_or_without_zone_is_an_error(series: BaseSeries) -> None:
    with pytest.raises(BacktestError, match="2030"):
        backtest_forecast(series, train_until=datetime(2030, 1, 1, tzinfo=UTC), site_tz=TZ)
    with pytest.raises(UnitsError, match="train_until"):
        backtest_forecast(series, train_until=datetime(2024, 5, 4), site_tz=TZ)  # noqa: DTZ001


def test_on_luxembourgs_residual_load_it_beats_persistence_and_drift(data_dir: Path) -> None:
    table = pd.read_csv(data_dir / "luxembourg_load_15min_2020_2024H1.csv.gz", index_col=0, parse_dates=True)
    table = table[table.index >= "2024-01-01"]
    kw = {
        "load_kw": "load_mw",
        "solar_kw": "solar_mw",
        "wind_kw": "wind_mw",
        "net_load_kw": "residual_load_mw",
    }
    frame = pd.DataFrame({name: table[column] * 1000.0 for name, column in kw.items()})
    split = datetime(2024, 4, 1, tzinfo=UTC)
    found = backtest_forecast(BaseSeries(frame, 900.0), train_until=split, site_tz=TZ)
    assert found.metrics["skill_persistence"] > 0.2
    assert found.metrics["skill_drift"] > 0.0
    assert found.metrics["coverage"] == pytest.approx(0.8, abs=0.1)
