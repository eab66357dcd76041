"""Instances that take turns and share a store: the seasonal memory goes along with the log."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from grid.series import BaseSeries
from pipeline.engine import StreamEngine
from pipeline.forecasting.stream_forecaster import StreamForecaster
from pipeline.messages import FORECASTS_TOPIC, ForecastMessage
from pipeline.sqlite_store import SqliteStore
from pipeline.timestamps import to_micros
from tests.pipeline.forecasting.test_stream_forecaster import pulses_of, quarter_hours, streamed
from tests.pipeline.shared_log import SharedLog
from tests.pipeline.test_partition_ahead import TurnReader

__all__ = ["quarter_hours"]  # a fixture


def test_forecasts_of_instances_that_take_turns_are_the_seasonal_ones_of_a_single_run(
    quarter_hours: StreamForecaster, make_series: Callable[..., BaseSeries], tmp_path: Path
) -> None:
    random = Random(5)
    series = [make_series(10.0, 900.0, components=False, gaps=0.03, seed=i) for i in range(2)]
    logs = [pulses_of(one, f"site-{i}", random, 0.05) for i, one in enumerate(series)]
    log = [pulse for group in zip(*logs, strict=False) for pulse in group]
    whole = streamed(log, quarter_hours, cuts=[100])
    shared = SharedLog(1)
    shared.append(log)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        instances: list[tuple[TurnReader, StreamEngine]] = []
        while not shared.finished():
            if len(instances) < 3 or random.random() < 0.1:  # a cold one in place of an old one
                reader = TurnReader(shared)
                instances = [*instances[-2:], (reader, StreamEngine(reader, store, quarter_hours))]
            reader, engine = random.choice(instances)
            reader.turn(0)
            while not shared.finished() and not engine.run_once(random.choice([40, 200])).polled:
                pass
    values = [value for topic, value in shared.produced if topic == FORECASTS_TOPIC]
    made = [msgspec.json.decode(value, type=ForecastMessage) for value in values]
    found = {(one.site, to_micros(one.issued_at)): (one.p10_kw, one.p50_kw, one.p90_kw) for one in made}
    assert found == whole
    assert len(made) == len(whole)
