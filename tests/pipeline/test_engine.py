"""The engine: every record is accounted for; what cannot be used is kept with its reason."""

import base64
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from grid.telemetry import Telemetry
from pipeline.arrays import Floats
from pipeline.engine import BatchReport, StreamEngine
from pipeline.features import FEATURE_NAMES
from pipeline.memory_stream import MemoryStream
from pipeline.messages import DEAD_LETTER_TOPIC, FORECASTS_TOPIC, TELEMETRY_TOPIC
from pipeline.model import ForecastModel
from pipeline.producer import publish
from pipeline.site_rules import SiteRules
from pipeline.sqlite_store import SqliteStore

START = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def stream() -> MemoryStream:
    return MemoryStream()


@pytest.fixture
def engine(stream: MemoryStream, store: SqliteStore, model: ForecastModel) -> StreamEngine:
    return StreamEngine(stream, store, model)


def pulse(i: int, net_load_kw: float | None = 500.0, site: str = "area") -> Telemetry:
    return Telemetry(site, START + timedelta(minutes=5 * i), load_kw=700.0, net_load_kw=net_load_kw)


def dead_letters(stream: MemoryStream) -> list[dict[str, object]]:
    return [json.loads(record.value) for record in stream.records(DEAD_LETTER_TOPIC)]


def test_each_event_with_a_net_load_yields_one_forecast_at_once(
    engine: StreamEngine, stream: MemoryStream, store: SqliteStore
) -> None:
    for i in range(5):
        publish(stream, [pulse(i)])
        engine.run_once()
        newest = store.latest_forecast("area")
        assert newest is not None
        assert newest.issued_at == pulse(i).ts_utc
        assert newest.target_at == pulse(i).ts_utc + timedelta(minutes=30)
        assert newest.p10_kw <= newest.p50_kw <= newest.p90_kw
    assert len(stream.records(FORECASTS_TOPIC)) == 5


def test_a_missing_net_load_is_stored_as_missing_and_forecasts_nothing(
    engine: StreamEngine, stream: MemoryStream, store: SqliteStore
) -> None:
    publish(stream, [pulse(0), pulse(1, net_load_kw=None)])
    report = engine.drain()
    assert (report.accepted, report.forecasts) == (2, 1)
    assert [seen.net_load_kw for seen in store.latest("area")] == [500.0, None]
    newest = store.latest_forecast("area")
    assert newest is not None
    assert newest.issued_at == pulse(0).ts_utc, "an old forecast must not look fresh"


def test_unusable_records_go_to_the_dead_letter_topic_with_reason_offset_and_bytes(
    engine: StreamEngine, stream: MemoryStream, store: SqliteStore
) -> None:
    publish(stream, [pulse(0)])
    stream.produce(TELEMETRY_TOPIC, "area", b"\x00garbage")
    stream.produce(TELEMETRY_TOPIC, "area", b'{"site":"area","ts_utc":"2024-05-01T00:10:00","net_load_kw":1}')
    publish(stream, [pulse(3)])
    report = engine.drain()
    assert (report.accepted, report.dead_letters) == (2, 2)
    letters = dead_letters(stream)
    assert [(letter["reason"], letter["offset"]) for letter in letters] == [
        ("undecodable", 1),
        ("naive_time", 2),
    ]
    assert base64.b64decode(str(letters[0]["original"])) == b"\x00garbage"
    assert len(store.latest("area")) == 2


def test_a_conflict_goes_to_the_dead_letter_topic_and_the_first_counts(
    engine: StreamEngine, stream: MemoryStream, store: SqliteStore
) -> None:
    publish(stream, [pulse(0, 1.0), pulse(0, 1.0), pulse(0, 2.0)])
    report = engine.drain()
    assert (report.accepted, report.duplicates, report.dead_letters) == (1, 1, 1)
    assert dead_letters(stream)[0]["reason"] == "conflict"
    assert [seen.net_load_kw for seen in store.latest("area")] == [1.0]


def test_every_record_is_accounted_for(engine: StreamEngine, stream: MemoryStream) -> None:
    publish(stream, [pulse(i, site=site) for i in range(20) for site in ("a", "b")])
    publish(stream, [pulse(19, site="a"), pulse(19, 7.0, site="b")])
    stream.produce(TELEMETRY_TOPIC, "x", b"{}")
    report = engine.drain()
    assert report.polled == 43
    assert report.polled == report.accepted + report.duplicates + report.dead_letters
    assert report.forecasts == len(stream.records(FORECASTS_TOPIC)) == 40


def test_a_batch_of_nothing_but_garbage_does_not_stop_the_stream(
    engine: StreamEngine, stream: MemoryStream
) -> None:
    stream.produce(TELEMETRY_TOPIC, "x", b"?")
    assert engine.run_once().dead_letters == 1
    publish(stream, [pulse(0)])
    assert engine.run_once().forecasts == 1


def test_a_measured_ramp_is_stored_as_an_event_and_its_end_too(
    stream: MemoryStream, store: SqliteStore, model: ForecastModel
) -> None:
    engine = StreamEngine(stream, store, model, ramp_limit_kw=100.0)
    publish(stream, [pulse(i, 500.0 if i < 10 else 750.0) for i in range(14)])
    engine.drain()
    (event,) = store.events("area", START)
    assert (event.kind, event.severity, event.cause_kw) == ("measured_ramp", "critical", 250.0)
    assert event.started_at == pulse(10).ts_utc
    assert event.ended_at is None
    again = StreamEngine(stream, store, model, ramp_limit_kw=100.0)  # a restart keeps the event open
    publish(stream, [pulse(i, 750.0) for i in range(14, 30)])
    again.drain()
    (ended,) = store.events("area", START)
    assert ended.event_id == event.event_id
    assert ended.ended_at is not None


def test_the_log_forgets_only_what_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.memory_stream.RETAINED_RECORDS", 10)
    stream = MemoryStream()
    for i in range(100):
        stream.produce(TELEMETRY_TOPIC, "a", str(i).encode())
    assert len(stream.records(TELEMETRY_TOPIC)) == 100
    assert [record.offset for record in stream.poll(50)] == list(range(50))
    stream.commit()
    stream.produce(TELEMETRY_TOPIC, "a", b"100")
    kept = stream.records(TELEMETRY_TOPIC)
    assert kept[0].offset == 50
    assert [record.value for record in stream.poll(2)] == [b"50", b"51"]


def test_features_are_not_rebuilt_with_pandas_for_each_message(
    engine: StreamEngine, stream: MemoryStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a table was built in the stream")

    publish(stream, [pulse(i) for i in range(400)])
    monkeypatch.setattr(pd.DataFrame, "__init__", refuse)
    monkeypatch.setattr(pd.Series, "__init__", refuse)
    assert engine.drain().forecasts == 400


def test_one_batch_is_one_call_of_the_model(
    engine: StreamEngine, stream: MemoryStream, model: ForecastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    predict = model.predict

    def counting(rows: Floats, net_load_kw: Floats) -> Floats:
        asked.append(len(rows))
        return predict(rows, net_load_kw)

    monkeypatch.setattr(model, "predict", counting)
    publish(stream, [pulse(i, site=site) for i in range(50) for site in ("a", "b", "c")])
    engine.drain()
    assert asked == [150]


@pytest.mark.parametrize(
    ("steps_kw", "begins"),
    [
        ([20.0] * 6, True),  # 4 kW a minute, but 120 kW within 30 minutes
        ([90.0, -90.0, 90.0, -90.0, 90.0, -90.0], False),  # 18 kW a minute, and back
    ],
    ids=["slow and far", "steep and back"],
)
def test_a_ramp_counts_by_its_change_over_30_minutes_and_not_by_its_slope(
    steps_kw: list[float], begins: bool, stream: MemoryStream, store: SqliteStore, model: ForecastModel
) -> None:
    engine = StreamEngine(stream, store, model, ramp_limit_kw=100.0)
    levels = np.cumsum([500.0] + [0.0] * 11 + steps_kw)
    publish(stream, [pulse(i, float(level)) for i, level in enumerate(levels)])
    engine.drain()
    kinds = {event.kind for event in store.events("area", START)}
    assert ("measured_ramp" in kinds) is begins


def test_a_time_beyond_that_of_its_record_is_from_the_future_and_moves_nothing(
    store: SqliteStore, model: ForecastModel
) -> None:
    now_ms = [round(pulse(0).ts_utc.timestamp() * 1000)]
    stream = MemoryStream(written_ms=lambda: now_ms[0])
    engine = StreamEngine(stream, store, model)
    publish(stream, [pulse(0), pulse(1)])  # a minute ahead is a clock's fault, five are none
    now_ms[0] += 300_000
    publish(stream, [pulse(1)])
    report = engine.drain()
    assert (report.accepted, report.reasons) == (2, {"from_future": 1})
    assert [seen.ts_utc for seen in store.latest("area")] == [pulse(0).ts_utc, pulse(1).ts_utc]


def test_a_value_that_a_sites_meter_cannot_show_is_a_dead_letter_that_names_the_bounds(
    stream: MemoryStream, store: SqliteStore, model: ForecastModel
) -> None:
    rules = {"plant-7": SiteRules(bounds={"load_kw": (0.0, 500.0), "solar_kw": (-5.0, math.inf)})}
    engine = StreamEngine(stream, store, model, sites=rules)
    for site, load, solar in (("plant-7", 501.0, 0.0), ("plant-7", 400.0, -6.0), ("plant-7", 500.0, -5.0)):
        publish(stream, [Telemetry(site, START, load_kw=load, solar_kw=solar, wind_kw=0.0)])
    report = engine.drain()
    assert (report.accepted, report.reasons) == (1, {"out_of_bounds": 2})
    first, second = (str(letter["detail"]) for letter in dead_letters(stream))
    assert "load_kw: 501 is outside 0 … 500 kW, the bounds of plant-7" in first
    assert "solar_kw: -6 is outside -5 … inf kW" in second


def test_a_site_without_bounds_may_show_a_little_negative_sun_and_no_more(
    stream: MemoryStream, engine: StreamEngine, model: ForecastModel
) -> None:
    largest_kw = model.metadata.largest_kw["solar_kw"]
    for i, share in enumerate((-0.019, -0.021)):
        solar_kw = share * largest_kw
        publish(stream, [Telemetry("area", pulse(i).ts_utc, load_kw=700.0, solar_kw=solar_kw, wind_kw=0.0)])
    assert engine.drain().reasons == {"out_of_bounds": 1}


def test_a_site_of_another_time_zone_has_the_hour_of_its_own_day(
    model: ForecastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = MemoryStream()
    rules = {"there": SiteRules(time_zone="America/Los_Angeles"), "here": SiteRules()}
    asked: list[Floats] = []
    predict = model.predict

    def noting(rows: Floats, net_load_kw: Floats) -> Floats:
        asked.append(rows)
        return predict(rows, net_load_kw)

    monkeypatch.setattr(model, "predict", noting)
    publish(stream, [pulse(0, site="there"), pulse(0, site="here")])
    StreamEngine(stream, None, model, sites=rules).drain()
    (rows,) = asked
    at = FEATURE_NAMES.index("hour_sin")
    hours = [(math.atan2(*row[at : at + 2]) / math.tau * 24) % 24 for row in rows]
    assert hours == pytest.approx([17.0, 2.0])  # 00:00 UTC on the 1st of May


def test_a_site_that_pulses_far_too_fast_loses_its_excess_alone_in_any_batching(model: ForecastModel) -> None:
    fast = [replace(pulse(0, site="fast"), ts_utc=START + timedelta(milliseconds=i)) for i in range(600)]
    totals = []
    for batch in (1, 7, 10_000):
        stream = MemoryStream()
        engine = StreamEngine(stream, None, model)
        publish(stream, [*fast[:300], pulse(0), *fast[300:], pulse(1)])
        total = BatchReport()
        while (report := engine.run_once(batch)).polled:
            total += report
        assert total.reasons == {"too_dense": total.dead_letters}
        totals.append((total.accepted, total.dead_letters))
    assert totals[0] == totals[1] == totals[2]
    assert 0 < totals[0][1] < 600
