"""Stream equals offline, bit for bit: in any batching, interleaving, lateness, with duplicates and gaps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from pipeline.bounds import Bounds
from pipeline.engine import StreamEngine
from pipeline.features import SiteEvents, feature_rows
from pipeline.forecast import Forecast
from pipeline.memory_stream import MemoryStream
from pipeline.messages import (
    DEAD_LETTER_TOPIC,
    FORECASTS_TOPIC,
    TELEMETRY_TOPIC,
    decode_telemetry,
    encode_telemetry,
)
from pipeline.model import ForecastModel
from pipeline.producer import publish
from pipeline.pulse_batch import decode_batch
from pipeline.site_table import SiteTable
from pipeline.sqlite_store import SqliteStore
from pipeline.timestamps import to_micros
from pipeline.window_table import Reach

START = datetime(2024, 5, 1, 3, tzinfo=UTC)
CADENCE_S = 300.0
TZ = "Europe/Luxembourg"


def log_of(seed: int, *, sites: int = 2, length: int = 70) -> list[Telemetry]:
    """An event log: jittered stamps, gaps, missing values, late events, exact duplicates."""
    random = Random(seed)
    log: list[Telemetry] = []
    for site in range(sites):
        moment = START
        pulses = []
        for _ in range(length):
            moment += timedelta(seconds=random.choice([300, 300, 300, 290, 311, 600, 9000]))
            load, solar = random.uniform(500, 900), random.choice([None, 0.0, random.uniform(0, 300)])
            level = None if random.random() < 0.1 else load - (solar or 0.0)
            pulses.append(
                Telemetry(
                    f"site-{site}", moment, load_kw=load, solar_kw=solar, wind_kw=1.0, net_load_kw=level
                )
            )
        for i in range(length - 3):
            if random.random() < 0.15:
                late = random.randint(1, 3)
                pulses.insert(i + late, pulses.pop(i))
        log += pulses
    log.sort(key=lambda pulse: pulse.ts_utc + timedelta(seconds=random.randint(0, 900)))
    return log + random.sample(log[-10:], 5)


def offline_rows(log: list[Telemetry], late_after_s: float) -> dict[tuple[str, datetime], bytes]:
    """The rows by the definition: each event from all accepted events of lower offset, full history."""
    history: dict[str, dict[datetime, Telemetry]] = {}
    found = {}
    for pulse in map(decode_telemetry, map(encode_telemetry, log)):
        known = history.setdefault(pulse.site, {})
        if pulse.ts_utc in known or (known and (max(known) - pulse.ts_utc).total_seconds() > late_after_s):
            continue
        known[pulse.ts_utc] = pulse
        if pulse.net_load_kw is None:
            continue
        usable = sorted((p for p in known.values() if p.net_load_kw is not None), key=lambda p: p.ts_utc)
        columns = [
            np.array([getattr(p, name) for p in usable], dtype=np.float64)
            for name in ("net_load_kw", "load_kw", "solar_kw", "wind_kw")
        ]
        ts_us = np.array([to_micros(p.ts_utc) for p in usable])
        at = np.array([usable.index(pulse)])
        rows = feature_rows(SiteEvents(ts_us, *columns), at, cadence_s=CADENCE_S, site_tz=TZ)
        found[(pulse.site, pulse.ts_utc)] = rows[0].tobytes()
    return found


def streamed_rows(
    log: list[Telemetry], cuts: list[int], lateness_s: float | None = None
) -> dict[tuple[str, datetime], bytes]:
    """The rows that the stream's state makes of a log in batches of these sizes."""
    table = SiteTable(Reach.of(CADENCE_S, lateness_s), site_tz=TZ)
    found: dict[tuple[str, datetime], bytes] = {}
    begin = turn = 0
    while begin < len(log):
        part = log[begin : begin + cuts[turn % len(cuts)]]
        batch, refused = decode_batch(list(map(encode_telemetry, part)), [-1] * len(part), Bounds({}, {}))
        assert not refused
        for pulse in part:
            if table.find(0, [pulse.site]) == [-1]:
                table.add(0, pulse.site, 0)
        rows = np.array(table.find(0, [pulse.site for pulse in part]))
        accepted = table.accept(batch, rows, np.zeros(len(part), dtype=np.int64))
        for i, row in zip(accepted.issuing.tolist(), accepted.features.rows, strict=True):
            key = (part[i].site, part[i].ts_utc)
            assert key not in found
            found[key] = row.tobytes()
        begin, turn = begin + len(part), turn + 1
    return found


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    sites=st.integers(1, 3),
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=30),
    lateness_s=st.sampled_from([None, 0.0, 600.0, 20_000.0]),
)
def test_rows_of_the_stream_equal_offline_rows_in_any_batching(
    seed: int, sites: int, cuts: list[int], lateness_s: float | None
) -> None:
    log = log_of(seed, sites=sites)
    late_after_s = 3000.0 if lateness_s is None else lateness_s
    assert streamed_rows(log, cuts, lateness_s) == offline_rows(log, late_after_s)


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 50))
def test_forecasts_do_not_depend_on_batching_or_on_other_sites(
    seed: int, cut: int, model: ForecastModel
) -> None:
    log = log_of(seed, sites=3)
    whole = run(log, model, len(log))
    parts = run(log, model, cut)
    assert parts == whole
    for site in ("site-0", "site-1", "site-2"):
        alone = run([pulse for pulse in log if pulse.site == site], model, cut)
        assert alone == {key: made for key, made in whole.items() if key[0] == site}


def run(log: list[Telemetry], model: ForecastModel, batch: int) -> dict[tuple[str, datetime], Forecast]:
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "telemetry.db") as store:
        stream = MemoryStream()
        publish(stream, log)
        engine = StreamEngine(stream, store, model)
        while engine.run_once(batch).polled:
            pass
        made = {
            (site, forecast.issued_at): forecast
            for site in store.sites()
            for forecast in store.forecasts(site, START, START + timedelta(days=30))
        }
        assert len(stream.records(FORECASTS_TOPIC)) == len(made)
    return made


def test_a_late_event_gets_its_forecast_and_changes_no_earlier_one(
    model: ForecastModel, store: SqliteStore
) -> None:
    pulses = [
        Telemetry("area", START + timedelta(minutes=5 * i), load_kw=900.0, net_load_kw=500.0 + i)
        for i in range(20)
    ]
    late = pulses.pop(10)
    stream = MemoryStream()
    engine = StreamEngine(stream, store, model)
    publish(stream, pulses)
    engine.drain()
    before = store.forecasts("area", START, START + timedelta(days=1))
    publish(stream, [late])
    engine.drain()
    after = store.forecasts("area", START, START + timedelta(days=1))
    assert [made for made in after if made.issued_at != late.ts_utc] == before
    assert len(after) == len(before) + 1


def test_an_event_beyond_the_lateness_is_a_dead_letter_and_not_dropped(
    model: ForecastModel, store: SqliteStore
) -> None:
    pulses = [Telemetry("area", START + timedelta(minutes=5 * i), net_load_kw=500.0 + i) for i in range(100)]
    stream = MemoryStream()
    publish(stream, [*pulses[1:], pulses[0]])
    report = StreamEngine(stream, store, model).drain()
    assert (report.accepted, report.dead_letters) == (99, 1)
    assert b"too_late" in stream.records(DEAD_LETTER_TOPIC)[0].value


def test_the_state_of_a_site_takes_no_more_than_4_kib_at_a_5_s_pulse_and_does_not_grow() -> None:
    table = SiteTable(Reach.of(5.0), site_tz=TZ)
    for i in range(100):
        table.add(0, f"site-{i}", 0)
    assert table.nbytes / table.capacity <= 4096
    before = table.nbytes
    for hour in range(3):
        start = START + timedelta(hours=hour)
        part = [Telemetry("site-1", start + timedelta(seconds=5 * i), net_load_kw=i) for i in range(720)]
        batch, _ = decode_batch(list(map(encode_telemetry, part)), [-1] * len(part), Bounds({}, {}))
        rows = np.full(len(part), table.find(0, ["site-1"])[0])
        table.accept(batch, rows, np.zeros(len(part), dtype=np.int64))
    assert table.nbytes == before


def test_a_restarted_stream_goes_on_as_if_it_had_not_stopped(
    model: ForecastModel, store: SqliteStore
) -> None:
    log = [
        Telemetry("area", START + timedelta(minutes=5 * i), load_kw=800.0, net_load_kw=500.0 + 7.0 * (i % 9))
        for i in range(80)
    ]
    whole = run(log, model, 7)
    for part in (log[:33], log[25:]):  # the second process reads some of the log again
        stream = MemoryStream()
        publish(stream, part)
        StreamEngine(stream, store, model).drain()
    again = store.forecasts("area", START, START + timedelta(days=1))
    assert again == [whole[("area", made.issued_at)] for made in again]
    assert len(again) == len(log)


def test_what_was_not_committed_is_read_again_and_issues_nothing_twice(
    model: ForecastModel, store: SqliteStore
) -> None:
    log = [Telemetry("area", START + timedelta(minutes=5 * i), net_load_kw=500.0 + i) for i in range(10)]
    stream = MemoryStream()
    publish(stream, log)
    assert len(stream.poll(4)) == 4
    stream.rewind()
    report = StreamEngine(stream, store, model).drain()
    assert report.forecasts == 10
    stream.rewind()
    assert StreamEngine(stream, store, model).drain().polled == 0
    publish(stream, log)
    repeated = StreamEngine(stream, store, model).drain()
    assert (repeated.duplicates, repeated.forecasts) == (10, 0)
    assert len(stream.records(FORECASTS_TOPIC)) == 10
    assert len(stream.records(TELEMETRY_TOPIC)) == 20
