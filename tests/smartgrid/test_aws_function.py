"""The function's wiring, without a broker."""

import json
from pathlib import Path

import pytest

from pipeline.engine import BatchReport
from pipeline.errors import EventError, ModelError
from pipeline.forecasting.seasonal_memory import SeasonalNeed
from pipeline.model import ForecastModel
from pipeline.training import train
from smartgrid.aws import forecasting
from smartgrid.aws.forecasting import Forecasting
from smartgrid.aws.metrics import COUNTS, metric_line
from smartgrid.errors import SettingsError
from smartgrid.settings import Settings
from smartgrid.testing.days import SITE_TZ, made_up_series
from tests.pipeline.msk_events import msk_event


class Plenty:
    """An invocation that has time."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture(scope="module")
def model() -> ForecastModel:
    return train(made_up_series(), cadence_s=300.0, site_tz=SITE_TZ, trees=3)


@pytest.fixture
def settings(model: ForecastModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("SMARTGRID_INFLUX_URL", raising=False)
    model.save(tmp_path / "model")
    return Settings(state=tmp_path, kafka="127.0.0.1:1")


def test_without_brokers_or_without_a_model_no_instance_starts(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="kafka: no brokers"):
        Forecasting(settings.model_copy(update={"kafka": ""}), group="g")
    with pytest.raises(ModelError, match="there is no model"):
        Forecasting(settings.model_copy(update={"state": tmp_path / "elsewhere"}), group="g")


def test_a_model_that_compares_with_past_days_needs_a_store_that_outlives_the_instance(
    settings: Settings, model: ForecastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seasonal:
        seasonal, name = SeasonalNeed(300.0, 1800.0), "xgboost-seasonal"

    monkeypatch.setattr(forecasting, "load_stream_model", lambda _folder: Seasonal())
    with pytest.raises(SettingsError, match=r"SMARTGRID_INFLUX_URL.*cold/"):
        Forecasting(settings, group="g")
    Forecasting(settings.model_copy(update={"influx_url": "http://127.0.0.1:1"}), group="g")


def test_an_event_of_something_else_fails_the_invocation_before_any_broker_is_asked(
    settings: Settings,
) -> None:
    instance = Forecasting(settings, group="g")
    with pytest.raises(EventError, match="eventSource"):
        instance(msk_event([]) | {"eventSource": "aws:kinesis"}, Plenty())


def test_an_event_without_records_does_nothing(settings: Settings) -> None:
    instance = Forecasting(settings, group="g")
    assert instance(msk_event([]), Plenty()) == BatchReport()
    instance.close()


def test_the_metric_line_is_what_cloudwatch_reads() -> None:
    report = BatchReport(polled=9, accepted=6, forecasts=5, duplicates=1, dead_letters=2, rebuilt=40)
    line = json.loads(metric_line(report, "grid-forecast"))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["FunctionName"]]
    assert line["FunctionName"] == "grid-forecast"
    assert [metric["Name"] for metric in directive["Metrics"]] == [*COUNTS]
    assert {metric["Unit"] for metric in directive["Metrics"]} == {"Count"}
    counts = [line[name] for name in COUNTS]
    assert counts == [9, 5, 1, 2, 40]
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
