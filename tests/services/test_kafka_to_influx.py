"""Kafka and InfluxDB together, as the settings of a stream wire them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.influx_target import InfluxTarget
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC, encode_telemetry
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from smartgrid.series_store import store_name, stream_store
from smartgrid.settings import Settings
from tests.services.topic_reader import until
from tests.services_influx.server import own_bucket

pytestmark = pytest.mark.service

START = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def pulse(i: int) -> Telemetry:
    return Telemetry(
        "area", START + timedelta(minutes=5 * i), load_kw=800.0, net_load_kw=500.0 + 7.0 * (i % 9)
    )


def settings_of(target: InfluxTarget, state: Path) -> Settings:
    return Settings(
        state=state,
        influx_url=target.url,
        influx_org=target.org,
        influx_bucket=target.bucket,
        influx_token=SecretStr(target.token),
    )


def forecast_all(engine: StreamEngine) -> None:
    forecasts = 0

    def work() -> None:
        nonlocal forecasts
        forecasts += engine.run_once().forecasts

    until(lambda: forecasts >= 60, work, "sixty forecasts")


def test_what_flows_through_kafka_is_in_influxdb_as_it_is_in_the_embedded_store(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str, model: ForecastModel, tmp_path: Path
) -> None:
    for i in range(60):
        writer.produce(TELEMETRY_TOPIC, "area", encode_telemetry(pulse(i)))
    writer.flush()
    with own_bucket() as target:
        scaled, embedded = settings_of(target, tmp_path), Settings(state=tmp_path, influx_url=None)
        assert store_name(scaled) == f"{target.url}, bucket {target.bucket}"
        found = []
        for name, settings in (("scaled", scaled), ("embedded", embedded)):
            with (
                stream_store(settings) as store,
                KafkaStream(kafka, group=topics + name, prefix=topics) as stream,
            ):
                forecast_all(StreamEngine(stream, store, model))
                found.append(
                    (store.telemetry("area", START, START + DAY), store.forecasts("area", START, START + DAY))
                )
    assert found[0] == found[1]
    assert found[0][0] == [pulse(i) for i in range(60)]
    assert isinstance(store, SqliteStore)
