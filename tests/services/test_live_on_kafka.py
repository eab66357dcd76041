"""``smartgrid produce --iso`` on a real broker: an operator's rows of the present day end in forecasts."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipeline.engine import StreamEngine
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.messages import decode_telemetry
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from tests.services.topic_reader import TopicReader, until
from tests.smartgrid.live.operators import Operators, make_environment
from tests.smartgrid.live.recorded import Ercot
from tests.smartgrid.roles import command

pytestmark = pytest.mark.service

FUELS = ("coal_mw", "hydro_mw", "nuclear_mw", "solar_mw", "wind_mw", "gas_mw", "other_mw")


def last_half_hour() -> pd.DataFrame:
    """Intervals that are over."""
    newest = pd.Timestamp(datetime.now(UTC)).floor("5min") - timedelta(minutes=5)
    index = pd.date_range(end=newest, periods=6, freq="5min")
    mix = {fuel: [1_000.0 + i for i in range(6)] for fuel in FUELS}
    return pd.DataFrame({"total_gen_mw": [40_000.0 + i for i in range(6)], **mix}, index=index)


def test_a_live_area_is_published_until_it_is_told_to_stop_and_ends_in_forecasts(
    kafka: KafkaConnection, topics: str, reader: TopicReader, model: ForecastModel, tmp_path: Path
) -> None:
    make_environment()
    rows = last_half_hour()
    words = ["produce", "--iso", "ercot", "--brokers", kafka.brokers, "--topic-prefix", topics, "--json"]
    with Operators(tmp_path).serving() as operators:
        operators.answers = Ercot(rows)
        variables = {**os.environ, **operators.environment, "SMARTGRID_STATE": str(tmp_path)}
        process = subprocess.Popen([command(), *words], stdout=subprocess.PIPE, text=True, env=variables)
        with process:
            try:
                until(lambda: len(reader.telemetry()) == len(rows), lambda: None, "its pulses")
            finally:
                process.terminate()
            told, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(told) == {"published": 6, "late": 0, "revised": 0}
    pulses = [decode_telemetry(value) for value in reader.telemetry()]
    assert [pulse.ts_utc for pulse in pulses] == pd.DatetimeIndex(rows.index).to_pydatetime().tolist()
    assert [pulse.net_load_kw for pulse in pulses] == [1000.0 * (38_000 - i) for i in range(6)]
    issued: list[int] = []
    with (
        SqliteStore(tmp_path / "telemetry.db") as store,
        KafkaStream(kafka, group=topics, prefix=topics) as stream,
    ):
        engine = StreamEngine(stream, store, model)
        until(lambda: sum(issued) >= 6, lambda: issued.append(engine.run_once().forecasts), "its forecasts")
        newest = store.latest_forecast("ercot")
    assert newest is not None and newest.issued_at == pulses[-1].ts_utc
