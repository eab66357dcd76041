"""Drivers of a stored forecast: they sum to its median, by the model that made it, or say why not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from grid.series import BaseSeries
from grid.telemetry import Telemetry
from pipeline.errors import ModelError, TrainingError
from pipeline.features import events_of, feature_rows
from pipeline.forecast import Forecast
from pipeline.forecasting.drivers import Explainer
from pipeline.forecasting.explain import ModelExplainer
from pipeline.forecasting.stream_forecaster import StreamForecaster
from pipeline.forecasting.stream_training import train_stream_model
from pipeline.forecasting.training import train_forecast
from pipeline.forecasting.versions import ModelVersions
from pipeline.forecasting.walk_forward import prepare
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train
from smartgrid.model_home import horizons_of

TZ = "Europe/Luxembourg"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SeriesMaker = Callable[..., BaseSeries]


@pytest.fixture(scope="module")
def series(make_series: SeriesMaker) -> BaseSeries:
    return make_series(20.0, 900.0)


@pytest.fixture(scope="module")
def seasonal(series: BaseSeries, trees: ForecastModel) -> StreamForecaster:
    alone = BaseSeries(series.frame[["net_load_kw"]], series.cadence_s)
    return StreamForecaster(train_forecast(alone, site_tz=TZ, horizons_s=(1800.0, 3600.0)), trees)


@pytest.fixture(scope="module")
def trees(series: BaseSeries) -> ForecastModel:
    return train(series, cadence_s=900.0, site_tz=TZ, trees=12)


@pytest.fixture
def store(series: BaseSeries, tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "t.db") as made:
        channels = series.frame[["load_kw", "solar_kw", "wind_kw", "net_load_kw"]].to_numpy().tolist()
        stamps = [moment.to_pydatetime() for moment in series.frame.index]
        made.write([Telemetry("a", at, *values) for at, values in zip(stamps, channels, strict=True)])
        yield made


def forecast_of(series: BaseSeries, place: int, p50_kw: float, model: str) -> Forecast:
    issued_at = series.frame.index[place].to_pydatetime()
    net_kw = float(series.frame["net_load_kw"].iloc[place])
    return Forecast(
        "a", issued_at, issued_at + timedelta(minutes=30), net_kw, p50_kw - 9, p50_kw, p50_kw + 9, model
    )


def seasonal_forecast(series: BaseSeries, model: StreamForecaster, place: int) -> Forecast:
    alone = BaseSeries(series.frame[["net_load_kw"]], series.cadence_s)
    rows = prepare(alone, site_tz=TZ, horizon_s=1800.0).rows[place : place + 1]
    return forecast_of(series, place, float(model.trained.predict(rows, 1800.0)[0][0, 1]), model.name)


def trees_forecast(series: BaseSeries, model: ForecastModel, place: int) -> Forecast:
    events = events_of(series)
    row = feature_rows(events, np.array([place]), cadence_s=900.0, site_tz=TZ)
    band = model.predict(row, events.net_load_kw[place : place + 1])
    return forecast_of(series, place, float(band[0, 1]), model.name)


@pytest.mark.parametrize("place", [1500, 1537, 1600, 1916])
def test_the_drivers_of_the_seasonal_forecaster_sum_to_the_stored_median(
    series: BaseSeries, seasonal: StreamForecaster, store: SqliteStore, tmp_path: Path, place: int
) -> None:
    seasonal.save(tmp_path / "model")
    forecast = seasonal_forecast(series, seasonal, place)
    drivers = ModelExplainer(tmp_path / "model").drivers(store, forecast)
    assert sum(driver.change_kw for driver in drivers) == pytest.approx(forecast.p50_kw, abs=0.02)
    assert {"recent", "same time", "calendar", "linear stage", "average"} <= {
        driver.family for driver in drivers
    }
    assert "unexplained" not in {driver.family for driver in drivers}
    sizes = [abs(driver.change_kw) for driver in drivers]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.0


@pytest.mark.parametrize("place", [30, 700, 1900])
def test_the_drivers_of_the_quantile_trees_sum_to_the_stored_median(
    series: BaseSeries, trees: ForecastModel, store: SqliteStore, tmp_path: Path, place: int
) -> None:
    trees.save(tmp_path / "model")
    forecast = trees_forecast(series, trees, place)
    drivers = ModelExplainer(tmp_path / "model").drivers(store, forecast)
    assert sum(driver.change_kw for driver in drivers) == pytest.approx(forecast.p50_kw, abs=0.02)
    assert {driver.family for driver in drivers} == {
        "lags", "rolling", "gradient", "penetration", "hour", "level", "average",
    }  # fmt: skip


def test_a_row_that_came_otherwise_in_the_stream_is_told_as_unexplained(
    series: BaseSeries, trees: ForecastModel, store: SqliteStore, tmp_path: Path
) -> None:
    trees.save(tmp_path / "model")
    forecast = trees_forecast(series, trees, 700)
    other = replace(forecast, p50_kw=forecast.p50_kw + 7.0)
    drivers = {
        item.family: item.change_kw for item in ModelExplainer(tmp_path / "model").drivers(store, other)
    }
    assert drivers["unexplained"] == pytest.approx(7.0, abs=0.02)
    assert sum(drivers.values()) == pytest.approx(other.p50_kw, abs=1e-9)


def test_the_model_that_made_it_explains_a_forecast_after_a_swap(
    series: BaseSeries, trees: ForecastModel, seasonal: StreamForecaster, store: SqliteStore, tmp_path: Path
) -> None:
    versions = ModelVersions(tmp_path / "model")
    for model in (seasonal, trees):
        versions.add(model.save, content_hash=model.name.rpartition("-")[2], now=NOW)
    explainer: Explainer = ModelExplainer(tmp_path / "model")
    for forecast in (seasonal_forecast(series, seasonal, 1600), trees_forecast(series, trees, 1600)):
        total = sum(driver.change_kw for driver in explainer.drivers(store, forecast))
        assert total == pytest.approx(forecast.p50_kw, abs=0.02)


def test_a_forecast_of_a_model_that_is_gone_or_without_telemetry_is_not_guessed_at(
    series: BaseSeries, trees: ForecastModel, store: SqliteStore, tmp_path: Path
) -> None:
    trees.save(tmp_path / "model")
    explainer, forecast = ModelExplainer(tmp_path / "model"), trees_forecast(series, trees, 700)
    with pytest.raises(ModelError, match="xgboost-gone' made the forecast and is not in"):
        explainer.drivers(store, replace(forecast, model="xgboost-gone"))
    with pytest.raises(ModelError, match="not stored any more"):
        explainer.drivers(store, replace(forecast, issued_at=forecast.issued_at + timedelta(seconds=1)))
    with pytest.raises(ModelError, match="there is no model"):
        ModelExplainer(tmp_path / "none").drivers(store, forecast)


def test_a_site_without_known_days_is_explained_by_the_trees_that_forecast_it(
    series: BaseSeries, seasonal: StreamForecaster, store: SqliteStore, tmp_path: Path
) -> None:
    seasonal.save(tmp_path / "model")
    forecast = replace(trees_forecast(series, seasonal.cold, 50), model=seasonal.name)
    drivers = {
        item.family: item.change_kw for item in ModelExplainer(tmp_path / "model").drivers(store, forecast)
    }
    assert sum(drivers.values()) == pytest.approx(forecast.p50_kw, abs=0.02)
    assert "lags" in drivers
    assert "same time" not in drivers


@pytest.mark.parametrize("place", [1500, 1916])
def test_another_horizon_is_forecast_from_the_same_measurements_as_offline(
    series: BaseSeries, seasonal: StreamForecaster, store: SqliteStore, tmp_path: Path, place: int
) -> None:
    seasonal.save(tmp_path / "model")
    explainer, made = ModelExplainer(tmp_path / "model"), seasonal_forecast(series, seasonal, place)
    hour = explainer.at_horizon(store, made, timedelta(hours=1))
    alone = BaseSeries(series.frame[["net_load_kw"]], series.cadence_s)
    rows = prepare(alone, site_tz=TZ, horizon_s=3600.0).rows[place : place + 1]
    band = seasonal.trained.predict(rows, 3600.0)[0][0].tolist()
    assert [hour.p10_kw, hour.p50_kw, hour.p90_kw] == pytest.approx(band, rel=1e-4)
    assert (hour.issued_at, hour.target_at - hour.issued_at) == (made.issued_at, timedelta(hours=1))
    same = explainer.at_horizon(store, made, timedelta(minutes=30))
    assert same.p50_kw == pytest.approx(made.p50_kw, abs=0.02)
    drivers = explainer.drivers(store, hour)
    assert sum(driver.change_kw for driver in drivers) == pytest.approx(hour.p50_kw, abs=0.02)


def test_a_horizon_that_was_not_learnt_is_refused_with_what_to_do(
    series: BaseSeries, seasonal: StreamForecaster, trees: ForecastModel, store: SqliteStore, tmp_path: Path
) -> None:
    seasonal.save(tmp_path / "seasonal")
    trees.save(tmp_path / "trees")
    quarter = timedelta(minutes=15)
    with pytest.raises(ModelError, match="900; the model forecasts 1800, 3600 s ahead"):
        ModelExplainer(tmp_path / "seasonal").at_horizon(
            store, seasonal_forecast(series, seasonal, 1500), quarter
        )
    with pytest.raises(ModelError, match=r"15 min; the model knows 30 min alone; train with .*--horizons"):
        ModelExplainer(tmp_path / "trees").at_horizon(store, trees_forecast(series, trees, 700), quarter)
    unknown = replace(trees_forecast(series, seasonal.cold, 50), model=seasonal.name)
    with pytest.raises(ModelError, match="too little is known of the last days of site='a'; ask for 30 min"):
        ModelExplainer(tmp_path / "seasonal").at_horizon(store, unknown, timedelta(hours=1))


def test_a_refit_keeps_the_horizons_of_the_model_in_use(
    seasonal: StreamForecaster, trees: ForecastModel, tmp_path: Path
) -> None:
    seasonal.save(tmp_path / "seasonal")
    trees.save(tmp_path / "trees")
    assert horizons_of(tmp_path / "seasonal") == (3600.0,)
    assert horizons_of(tmp_path / "trees") == horizons_of(tmp_path / "none") == ()


def test_other_horizons_need_a_past_as_long_as_the_forecasters(series: BaseSeries) -> None:
    with pytest.raises(TrainingError, match="horizons: less than 28 days in one piece"):
        train_stream_model([series], cadence_s=900.0, site_tz=TZ, horizons_s=(3600.0,))
