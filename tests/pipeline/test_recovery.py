"""Killed, restarted and moved readers make what one uninterrupted reader makes, from the log alone."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from pipeline.engine import BatchReport, StreamEngine
from pipeline.errors import TransportError
from pipeline.messages import DEAD_LETTER_TOPIC, FORECASTS_TOPIC, DeadLetterMessage, ForecastMessage
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from tests.pipeline.shared_log import Reader, SharedLog
from tests.pipeline.test_stream_parity import START, log_of


def harsh_log(seed: int, sites: int = 4) -> list[Telemetry]:
    """Jitter, gaps, lateness and duplicates, and beside them conflicts, silences and what is too late."""
    random = Random(seed)
    log = log_of(seed, sites=sites)
    for _ in range(12):
        place = random.randrange(len(log) // 3, len(log))
        pulse = log[random.randrange(place)]
        value = random.choice([pulse.net_load_kw, 77.0])
        log.insert(place, replace(pulse, net_load_kw=value))
    quiet = f"site-{random.randrange(sites)}"  # comes back at the end, as if nothing had been
    held = [pulse for pulse in log[len(log) // 3 :] if pulse.site == quiet]
    return [pulse for pulse in log if pulse not in held] + held


def forecasts(log: SharedLog) -> dict[tuple[str, str], bytes]:
    """By site and issue; what is issued again must be the same."""
    made: dict[tuple[str, str], bytes] = {}
    for topic, value in log.produced:
        if topic == FORECASTS_TOPIC:
            message = msgspec.json.decode(value, type=ForecastMessage)
            assert made.setdefault((message.site, message.issued_at.isoformat()), value) == value
    return made


def letters(log: SharedLog) -> set[tuple[int, int, str]]:
    found = [
        msgspec.json.decode(v, type=DeadLetterMessage) for t, v in log.produced if t == DEAD_LETTER_TOPIC
    ]
    return {(letter.partition, letter.offset, letter.reason) for letter in found}


@dataclass
class Life:
    """One process: an engine with a store of its own, which dies with it."""

    log: SharedLog
    model: ForecastModel

    def __post_init__(self) -> None:
        self.folder = TemporaryDirectory()
        self.store = SqliteStore(Path(self.folder.name) / "telemetry.db")
        self.reader = Reader(self.log)
        self.engine = StreamEngine(self.reader, self.store, self.model)

    def work(self, batch: int) -> BatchReport:
        return self.engine.run_once(batch)

    def die_in_a_batch(self, batch: int) -> None:
        """Everything is written and nothing committed."""
        self.reader.fail_next_commit = True
        with suppress(TransportError):
            self.engine.run_once(batch)
        self.end()

    def end(self) -> None:
        self.store.close()
        self.folder.cleanup()


def uninterrupted(pulses: Sequence[Telemetry], model: ForecastModel) -> SharedLog:
    log = SharedLog()
    log.append(pulses)
    life = Life(log, model)
    for number in range(log.partitions):
        life.reader.give(number)
    life.engine.drain()
    life.end()
    assert log.finished()
    return log


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    steps=st.lists(
        st.tuples(st.sampled_from(["work", "work", "die", "move"]), st.integers(0, 1), st.integers(1, 40)),
        max_size=25,
    ),
)
def test_forecasts_survive_any_kills_and_moves_bit_for_bit(
    seed: int, steps: list[tuple[str, int, int]], model: ForecastModel
) -> None:
    pulses = harsh_log(seed)
    whole = uninterrupted(pulses, model)
    log = SharedLog()
    log.append(pulses)
    lives = [Life(log, model), Life(log, model)]
    owner = {number: number % 2 for number in range(log.partitions)}
    for number, index in owner.items():
        lives[index].reader.give(number)
    for action, number, batch in steps:
        index = owner[number]
        if action == "work":
            lives[index].work(batch)
        elif action == "move":
            lives[index].reader.take(number)
            owner[number] = 1 - index
            lives[1 - index].reader.give(number)
        else:
            lives[index].die_in_a_batch(batch)
            lives[index] = Life(log, model)
            for owned in [owned for owned, at in owner.items() if at == index]:
                lives[index].reader.give(owned)
    for life in lives:
        life.engine.drain()
        life.end()
    assert log.finished()
    assert forecasts(log) == forecasts(whole)
    assert letters(log) == letters(whole)


def steady(count: int, site: str = "area") -> list[Telemetry]:
    return [
        Telemetry(site, START + timedelta(minutes=5 * i), load_kw=900.0, net_load_kw=500.0 + 7.0 * (i % 9))
        for i in range(count)
    ]


def test_a_restart_reads_no_more_of_the_log_again_than_twice_the_retention(model: ForecastModel) -> None:
    log = SharedLog(partitions=1)
    log.append(steady(600))
    life = Life(log, model)
    life.reader.give(0)
    while life.work(5).polled:
        pass
    life.end()
    retention_pulses = 7500 // 300
    assert retention_pulses <= log.committed[0] - log.marks[0] <= 2 * retention_pulses + 10
    again = Life(log, model)
    again.reader.give(0)
    assert again.work(1000) == BatchReport(rebuilt=log.committed[0] - log.marks[0])
    again.end()


def restarted_after(pulses: Sequence[Telemetry], before: int, model: ForecastModel) -> SharedLog:
    """The log after one process took the first pulses and another, new one the others."""
    log = SharedLog(partitions=1)
    for part in (pulses[:before], pulses[before:]):
        log.append(part)
        life = Life(log, model)
        life.reader.give(0)
        while (report := life.work(10)).polled + report.rebuilt:
            pass
        life.end()
    return log


def test_the_last_observation_before_a_long_silence_of_the_meter_survives_a_restart(
    model: ForecastModel,
) -> None:
    pulses = [
        pulse if i < 10 or i >= 90 else replace(pulse, net_load_kw=None) for i, pulse in enumerate(steady(95))
    ]
    log = restarted_after(pulses, 80, model)
    assert forecasts(log) == forecasts(uninterrupted(pulses, model))


def test_a_site_that_was_silent_while_others_went_on_comes_back_with_its_past(model: ForecastModel) -> None:
    quiet = [replace(pulse, load_kw=600.0) for pulse in steady(40, "site-2")]
    pulses = [*quiet[:20], *steady(300, "site-0"), *quiet[20:]]
    log = restarted_after(pulses, 320, model)
    assert forecasts(log) == forecasts(uninterrupted(pulses, model))


def test_nothing_is_stored_or_issued_for_records_that_rebuild_the_state(model: ForecastModel) -> None:
    log = SharedLog(partitions=1)
    log.append(steady(50))
    first = Life(log, model)
    first.reader.give(0)
    first.engine.drain()
    first.end()
    issued = len(log.produced)
    second = Life(log, model)
    second.reader.give(0)
    second.engine.drain()
    assert len(log.produced) == issued == 50
    assert second.store.sites() == []
    second.end()


def test_the_log_and_not_the_store_tells_a_partitions_past(model: ForecastModel) -> None:
    log = SharedLog(partitions=1)
    log.append(steady(40))
    life = Life(log, model)
    life.store.write([replace(pulse, net_load_kw=1.0) for pulse in steady(40)])
    life.reader.give(0)
    assert life.engine.drain().accepted == 40
    life.end()
    assert forecasts(log) == forecasts(uninterrupted(steady(40), model))


def test_a_partition_that_comes_back_goes_on_where_the_other_reader_left_it(model: ForecastModel) -> None:
    log = SharedLog(partitions=1)
    log.append(steady(30))
    ours, theirs = Life(log, model), Life(log, model)
    ours.reader.give(0)
    ours.engine.drain()
    ours.reader.take(0)
    theirs.reader.give(0)
    log.append(steady(40)[30:])
    theirs.engine.drain()
    theirs.reader.take(0)
    ours.reader.give(0)
    log.append(steady(60)[40:])
    ours.engine.drain()
    assert forecasts(log) == forecasts(uninterrupted(steady(60), model))
    ours.end()
    theirs.end()


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_an_instability_event_that_was_open_at_a_restart_stays_one_event(
    batch: int, model: ForecastModel, store: SqliteStore
) -> None:
    pulses = [
        replace(pulse, frequency_hz=59.0 if 40 <= i < 200 else 60.0) for i, pulse in enumerate(steady(230))
    ]
    log = SharedLog(partitions=1)
    log.append(pulses[:150])
    for part in (pulses[150:151], pulses[151:]):
        reader = Reader(log)
        reader.give(0)
        engine = StreamEngine(reader, store, model, ramp_limit_kw=100.0)
        while (report := engine.run_once(batch)).polled + report.rebuilt:
            pass
        log.append(part)
    reader = Reader(log)
    reader.give(0)
    StreamEngine(reader, store, model, ramp_limit_kw=100.0).drain()
    (event,) = store.events("area", START)
    assert (event.started_at, event.ended_at) == (pulses[40].ts_utc, pulses[201].ts_utc)
    if batch < 1000:
        assert log.marks[0] > 40, "the rewind must not reach the event's beginning"
