"""Telemetry bytes in, forecasts out: the numbers are those of feature rows computed offline, bit for bit."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from pipeline.engine import BatchReport, StreamEngine
from pipeline.messages import FORECASTS_TOPIC, ForecastMessage, decode_telemetry, encode_telemetry
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from tests.pipeline.offline_log import Band, Bands, offline_bands
from tests.pipeline.shared_log import Reader, SharedLog

START = datetime(2024, 5, 1, 3, tzinfo=UTC)
KW = (None, 0.0, -0.0, 0.1, 1e-9, 1e9, 700.0, 700.25, -700.0)
STEPS_S = st.sampled_from(
    [300.0] * 6 + [299.0, 301.0, 300.001, 150.0, 149.999, 0.001, 600.0, 1800.0, 40_000.0]
)
DELAYS_S = st.sampled_from([0.0] * 8 + [1.0, 400.0, 1200.0, 2400.0])
"""Up to eight cadences: within the lateness, which is ten at least."""
AGAIN_S = st.sampled_from([None] * 9 + [0.0, 1.0, 300.0])
"""After how long the same comes once more."""
SITES = st.lists(
    st.lists(st.tuples(STEPS_S, DELAYS_S, AGAIN_S), min_size=1, max_size=30), min_size=1, max_size=4
)


@st.composite
def logs(draw: st.DrawFn) -> list[Telemetry]:
    """What some sites sent, in the order in which it came."""
    random = Random(draw(st.integers(0, 10_000)))
    arrivals: list[tuple[float, Telemetry]] = []
    for number, steps in enumerate(draw(SITES)):
        moment_s, phase_s = 0.0, random.uniform(0.0, 3000.0)
        for step_s, delay_s, again_s in steps:
            moment_s = round(moment_s + step_s, 3)
            pulse = pulse_of(f"site-{number}", moment_s, random)
            arrivals.append((phase_s + moment_s + delay_s, pulse))
            if again_s is not None:
                arrivals.append((phase_s + moment_s + delay_s + again_s, pulse))
    return [pulse for _, pulse in sorted(arrivals, key=lambda arrival: arrival[0])]


def pulse_of(site: str, moment_s: float, random: Random) -> Telemetry:
    load, solar, wind, level = (
        random.choice([random.uniform(-900.0, 900.0), random.uniform(0.0, 900.0), random.choice(KW)])
        for _ in range(4)
    )
    at = START + timedelta(milliseconds=round(moment_s * 1000))
    sunshine = solar if solar is None else abs(solar)  # a meter of solar power shows none below zero
    pulse = Telemetry(site, at, load, sunshine, wind if wind is None else abs(wind), level)
    return decode_telemetry(encode_telemetry(pulse))


def streamed(
    log: Iterable[Telemetry], model: ForecastModel, partitions: int, cuts: list[int]
) -> tuple[list[tuple[tuple[str, datetime], Band]], BatchReport]:
    """Every forecast that an engine publishes of a log, in batches of these sizes and then in large ones."""
    shared = SharedLog(partitions)
    shared.append(log)
    reader = Reader(shared)
    for number in range(partitions):
        reader.give(number)
    total = BatchReport()
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "telemetry.db") as store:
        engine = StreamEngine(reader, store, model)
        for size in cuts:
            total += engine.run_once(size)
        total += engine.drain()
    made = [
        msgspec.json.decode(value, type=ForecastMessage)
        for topic, value in shared.produced
        if topic == FORECASTS_TOPIC
    ]
    return [((one.site, one.issued_at), (one.p10_kw, one.p50_kw, one.p90_kw)) for one in made], total


@settings(max_examples=50)
@given(log=logs(), partitions=st.integers(1, 3), cuts=st.lists(st.integers(1, 25), max_size=12))
def test_forecasts_of_the_stream_are_those_of_the_offline_rows_whatever_the_order_and_the_batches(
    log: list[Telemetry], partitions: int, cuts: list[int], model: ForecastModel
) -> None:
    made, report = streamed(log, model, partitions, cuts)
    wanted = offline_bands(log, model)
    assert len(made) == len(wanted), "a forecast is lost or issued twice"
    assert dict(made) == wanted
    distinct = {(pulse.site, pulse.ts_utc) for pulse in log}
    assert (report.accepted, report.duplicates, report.dead_letters) == (
        len(distinct),
        len(log) - len(distinct),
        0,
    )


@pytest.mark.parametrize("cuts", [[], [7] * 60])
def test_a_site_that_falls_silent_again_and_again_keeps_its_forecasts(
    cuts: list[int], model: ForecastModel
) -> None:
    minutes = [5 * i + 150 * (i // 20) for i in range(400)]
    log = [Telemetry("a", START + timedelta(minutes=at), net_load_kw=500.0 + at % 7) for at in minutes]
    made, report = streamed(log, model, 1, cuts)
    assert report.dead_letters == 0
    assert dict(made) == offline_bands(log, model)


def test_the_offline_computation_sees_a_changed_value_and_a_changed_order(model: ForecastModel) -> None:
    """It would be of no use otherwise."""
    log = [
        Telemetry("a", START + timedelta(minutes=5 * i), net_load_kw=500.0 + 40.0 * (i % 5))
        for i in range(20)
    ]
    late = [*log[:5], *log[6:9], log[5], *log[9:]]
    whole, other = offline_bands(log, model), offline_bands(late, model)
    assert set() < changed(whole, other) <= {("a", log[i].ts_utc) for i in (6, 7, 8)}
    assert changed(whole, offline_bands(log[1:], model)) >= {("a", log[0].ts_utc)}


def changed(one: Bands, other: Bands) -> set[tuple[str, datetime]]:
    return {key for key in one if one[key] != other.get(key)}
