"""A stream takes the version of a model that is put into use, with its detector, without stopping."""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

from grid.series import BaseSeries
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from pipeline.engine import StreamEngine
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.learning import learn_detector
from pipeline.forecasting.versions import ModelVersions
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train
from smartgrid.judging import stream_judge
from smartgrid.plant_stream import PlantStream, plant_stream
from smartgrid.settings import Settings, load_settings
from smartgrid.testing.days import SITE_TZ, made_up_series

STEP = timedelta(minutes=5)
_NUMBERS = count()


@pytest.fixture(scope="module")
def series() -> BaseSeries:
    return made_up_series()


@pytest.fixture(scope="module")
def models(series: BaseSeries) -> list[ForecastModel]:
    return [train(series, cadence_s=300.0, site_tz=SITE_TZ, trees=trees) for trees in (3, 4)]


@pytest.fixture(scope="module")
def detector(series: BaseSeries) -> FittedDetector:
    return learn_detector(BaseSeries(made_up_series(8).frame[["net_load_kw"]], series.cadence_s), SITE_TZ)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(state=tmp_path / "state")


def put_into_use(settings: Settings, model: ForecastModel, detector: FittedDetector | None) -> None:
    def write(folder: Path) -> None:
        model.save(folder)
        if detector is not None:
            detector.save(folder)

    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(_NUMBERS))
    ModelVersions(settings.model_dir).add(write, content_hash=model.name[-12:], now=now)


def pulses(series: BaseSeries, start: int, end: int) -> list[Telemetry]:
    rows = series.frame["net_load_kw"].iloc[start:end]
    return [
        Telemetry(site, at, net_load_kw=float(kw))
        for at, kw in zip(pd.DatetimeIndex(rows.index).to_pydatetime(), rows, strict=True)
        for site in (AREA_SITE, NATIVE_SITE)
    ]


def opened(settings: Settings, store: SqliteStore, model: ForecastModel) -> PlantStream:
    engine_on = partial(StreamEngine, store=store, model=model)
    with plant_stream(
        settings, engine_on, lambda _report, _seconds, _transport: None, group="g", prefix=""
    ) as stream:
        return stream


def test_a_version_put_into_use_makes_the_next_forecasts_and_judges_the_next_pulses(
    settings: Settings,
    tmp_path: Path,
    series: BaseSeries,
    models: list[ForecastModel],
    detector: FittedDetector,
) -> None:
    put_into_use(settings, models[0], None)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        stream = opened(settings, store, models[0])
        stream.take(pulses(series, 0, 20))
        put_into_use(settings, models[1], detector)
        stream.take(pulses(series, 20, 30))
        begin = series.frame.index[0].to_pydatetime()
        made = store.forecasts(NATIVE_SITE, begin, begin + timedelta(days=1))
        assert [one.model for one in made] == [models[0].name] * 20 + [models[1].name] * 10
        found = store.verdicts(NATIVE_SITE, begin, begin + timedelta(days=1))
        assert [one.ts_utc for one in found] == [begin + at * STEP for at in range(20, 30)]
        assert store.verdicts(AREA_SITE, begin, begin + timedelta(days=1)) == []


def test_a_version_that_does_not_fit_is_left_and_said_so(
    settings: Settings,
    tmp_path: Path,
    series: BaseSeries,
    models: list[ForecastModel],
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_into_use(settings, models[0], None)
    hourly = BaseSeries(made_up_series(20).frame.iloc[::6], 1800.0)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        stream = opened(settings, store, models[0])
        put_into_use(settings, train(hourly, cadence_s=1800.0, site_tz=SITE_TZ, trees=3), None)
        with caplog.at_level(logging.WARNING, "smartgrid.model_following"):
            stream.take(pulses(series, 0, 3))
        made = store.latest_forecast(AREA_SITE)
    assert made is not None
    assert made.model == models[0].name
    assert ["of another cadence" in record.getMessage() for record in caplog.records] == [True]


def test_a_detector_judges_no_pulses_that_come_more_slowly_than_its_rows(detector: FittedDetector) -> None:
    assert stream_judge(detector, 300.0) is not None
    assert stream_judge(detector, 900.0) is None
    assert stream_judge(None, 300.0) is None
