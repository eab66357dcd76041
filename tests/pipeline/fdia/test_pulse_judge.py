"""False data in the stream: verdicts that survive any kill, and that the tools' reader shares."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from grid.series import BaseSeries
from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.errors import TransportError
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.meters import LEAST_TRUST
from pipeline.fdia.regular import RegularSeries
from pipeline.judged_past import stored_past
from pipeline.judged_reader import JudgedReader
from pipeline.memory_stream import MemoryStream
from pipeline.messages import VALUE_NAMES
from pipeline.model import ForecastModel
from pipeline.producer import publish
from pipeline.pulse_judge import PulseJudge
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train
from pipeline.verdict import Verdict
from tests.pipeline.fdia.conftest import CADENCE_S
from tests.pipeline.shared_log import Reader, SharedLog

STEP = timedelta(seconds=CADENCE_S)
DAY = 48
SITES = ("a", "b")


@pytest.fixture(scope="module")
def forecaster(load: RegularSeries, first: int) -> ForecastModel:
    learnt = load.part(0, first)
    frame = pd.DataFrame({"net_load_kw": learnt.values_kw[0]}, index=learnt.stamps.rename("ts_utc"))
    return train(BaseSeries(frame, CADENCE_S), cadence_s=CADENCE_S, site_tz="UTC", trees=3)


def pulses_of(load: RegularSeries, start: int, end: int, site: str) -> list[Telemetry]:
    stamps, kw = load.stamps[start:end].to_pydatetime(), load.values_kw[0, start:end]
    return [
        Telemetry(site, at, load_kw=value, net_load_kw=value)
        for at, value in zip(stamps, kw.tolist(), strict=True)
    ]


def scaled(pulses: list[Telemetry], start: int, end: int, by: float = 1.2) -> list[Telemetry]:
    """The pulses, false between two places."""
    return [
        replace(pulse, load_kw=(pulse.load_kw or 0.0) * by, net_load_kw=(pulse.net_load_kw or 0.0) * by)
        if start <= at < end
        else pulse
        for at, pulse in enumerate(pulses)
    ]


def harsh(pulses: list[Telemetry], seed: int) -> list[Telemetry]:
    """Some late, some twice, some never."""
    random, arrivals = Random(seed), []
    for at, pulse in enumerate(pulses):
        delay = random.randint(1, 5) + 0.5 if random.random() < 0.05 else 0.0
        if random.random() > 0.03:
            arrivals.append((at + delay, pulse))
        if random.random() < 0.03:
            arrivals.append((at + delay + random.randint(0, 3), pulse))
    return [pulse for _, pulse in sorted(arrivals, key=lambda pair: pair[0])]


class Life:
    """One process on a log and a store that outlive it."""

    def __init__(
        self, log: SharedLog, store: SqliteStore, model: ForecastModel, detector: FittedDetector
    ) -> None:
        self.reader = Reader(log)
        self.engine = StreamEngine(self.reader, store, model)
        self.engine.judge_by(PulseJudge(detector, CADENCE_S, SITES))

    def die_in_a_batch(self, batch: int) -> None:
        """Everything is written and nothing committed."""
        self.reader.fail_next_commit = True
        with suppress(TransportError):
            self.engine.run_once(batch)


def verdicts(store: SqliteStore) -> dict[str, list[Verdict]]:
    return {site: store.verdicts(site, *_EVER) for site in (*SITES, "stranger")}


_EVER = (
    pd.Timestamp("2000-01-01", tz="UTC").to_pydatetime(),
    pd.Timestamp("2100-01-01", tz="UTC").to_pydatetime(),
)


@pytest.fixture(scope="module")
def arrivals(load: RegularSeries, first: int) -> tuple[list[Telemetry], list[Telemetry]]:
    """What stores hold already, and what comes: from Friday to Wednesday, false over Sunday's midnight."""
    before = [pulse for site in SITES for pulse in pulses_of(load, first - 14 * DAY, first - 3 * DAY, site)]
    logs = [
        harsh(scaled(pulses_of(load, first - 3 * DAY, first + 3 * DAY, site), at, at + 8), at)
        for site, at in (*zip(SITES, (3 * DAY - 5, 40), strict=True), ("stranger", 50))
    ]
    return before, [pulse for turn in zip(*logs, strict=False) for pulse in turn]


@pytest.fixture(scope="module")
def whole(
    arrivals: tuple[list[Telemetry], list[Telemetry]], forecaster: ForecastModel, fitted: FittedDetector
) -> Iterator[dict[str, list[Verdict]]]:
    """The verdicts of one process that was never stopped."""
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "telemetry.db") as store:
        log = _filled(store, arrivals)
        life = Life(log, store, forecaster, fitted)
        for number in range(log.partitions):
            life.reader.give(number)
        life.engine.drain()
        assert log.finished()
        yield verdicts(store)


def _filled(store: SqliteStore, arrivals: tuple[list[Telemetry], list[Telemetry]]) -> SharedLog:
    before, coming = arrivals
    store.write(before)
    log = SharedLog()
    log.append(coming)
    return log


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["work", "work", "die", "move"]), st.integers(0, 1), st.integers(1, 150)),
        max_size=8,
    )
)
def test_verdicts_survive_any_kills_and_moves_bit_for_bit(
    steps: list[tuple[str, int, int]],
    arrivals: tuple[list[Telemetry], list[Telemetry]],
    whole: dict[str, list[Verdict]],
    forecaster: ForecastModel,
    fitted: FittedDetector,
) -> None:
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "telemetry.db") as store:
        log = _filled(store, arrivals)
        lives = [Life(log, store, forecaster, fitted) for _ in range(2)]
        owner = {number: number % 2 for number in range(log.partitions)}
        for number, index in owner.items():
            lives[index].reader.give(number)
        for action, number, batch in steps:
            index = owner[number]
            if action == "work":
                lives[index].engine.run_once(batch)
            elif action == "move":
                lives[index].reader.take(number)
                owner[number] = 1 - index
                lives[1 - index].reader.give(number)
            else:
                lives[index].die_in_a_batch(batch)
                lives[index] = Life(log, store, forecaster, fitted)
                for owned in [owned for owned, at in owner.items() if at == index]:
                    lives[index].reader.give(owned)
        for life in lives:
            life.engine.drain()
        assert log.finished()
        assert verdicts(store) == whole


def test_the_judged_sites_have_a_verdict_on_each_pulse_and_others_none(
    arrivals: tuple[list[Telemetry], list[Telemetry]], whole: dict[str, list[Verdict]]
) -> None:
    _, coming = arrivals
    for site in SITES:
        stamps = {pulse.ts_utc for pulse in coming if pulse.site == site}
        assert [found.ts_utc for found in whole[site]] == sorted(stamps)
        late = [found for found in whole[site] if found.score is None]
        assert 0 < len(late) < len(stamps) / 10
    assert whole["stranger"] == []


def test_an_event_over_a_new_week_costs_the_trust_on_both_sides_and_little_else(
    load: RegularSeries, first: int, whole: dict[str, list[Verdict]]
) -> None:
    false = {stamp.to_pydatetime() for stamp in load.stamps[first - 5 : first + 3]}
    judged = [found for found in whole["a"] if found.trust is not None]
    inside = [found for found in judged if found.ts_utc in false]
    assert all(found.trust is not None and found.trust < LEAST_TRUST for found in inside)
    assert {found.channel for found in inside} == {"load_kw"}
    assert all(found.substitute_kw is not None for found in inside)
    outside = [found for found in judged if found.ts_utc < min(false) or found.ts_utc > max(false) + 6 * STEP]
    assert sum(found.trust < LEAST_TRUST for found in outside if found.trust is not None) <= 3


def embedded(
    store: SqliteStore, model: ForecastModel, detector: FittedDetector
) -> tuple[MemoryStream, StreamEngine]:
    stream = MemoryStream()
    engine = StreamEngine(stream, store, model)
    engine.judge_by(PulseJudge(detector, CADENCE_S, SITES))
    return stream, engine


def take(part: tuple[MemoryStream, StreamEngine], pulses: Iterable[Telemetry]) -> None:
    stream, engine = part
    publish(stream, pulses)
    engine.drain()


def test_the_stream_and_the_reader_of_the_same_pulses_agree(
    tmp_path: Path, load: RegularSeries, first: int, forecaster: ForecastModel, fitted: FittedDetector
) -> None:
    pulses = scaled(pulses_of(load, first, first + 3 * DAY, "a"), 100, 108)
    with SqliteStore(tmp_path / "own.db") as bare, SqliteStore(tmp_path / "streamed.db") as store:
        stream = embedded(store, forecaster, fitted)
        alone, beside = JudgedReader(bare, {"a": fitted}), JudgedReader(store, {"a": fitted})
        low = 0
        for at, pulse in enumerate(pulses):
            bare.write([pulse])
            take(stream, [pulse])
            if at < 2:
                continue
            recent = bare.latest("a")
            own, shared = alone.judge("a", recent), beside.judge("a", recent)
            assert own == shared
            assert own is not None
            low += own.trust < LEAST_TRUST
        assert low >= 8
        assert beside._judges == {}, "the verdicts of the stream were not used"


def test_what_was_distrusted_days_ago_is_still_replaced_where_it_is_read(
    tmp_path: Path, load: RegularSeries, first: int, forecaster: ForecastModel, fitted: FittedDetector
) -> None:
    truth = pulses_of(load, first, first + 3 * DAY, "a")
    pulses = scaled(truth, 60, 64)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        take(embedded(store, forecaster, fitted), pulses)
        believed = JudgedReader(store, {"a": fitted}).believed("a", *_EVER)
        for seen, true in zip(believed[60:64], truth[60:64], strict=True):
            assert seen.net_load_kw == pytest.approx(true.net_load_kw, rel=0.1)
        assert believed[:60] == truth[:60]


def test_the_past_is_kept_as_it_was_believed_too_and_without_what_came_late(
    tmp_path: Path, load: RegularSeries, first: int
) -> None:
    pulses = pulses_of(load, first - DAY, first, "a")
    low = Verdict("a", pulses[10].ts_utc, True, 5.0, 0.0, "load_kw", "step", None, 7.0)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        store.write(pulses, verdicts=[low, Verdict("a", pulses[20].ts_utc)])
        past = stored_past(store, "a", *_EVER)
    load_at, net_at = VALUE_NAMES.index("load_kw"), VALUE_NAMES.index("net_load_kw")
    assert len(past.ts_ms) == DAY - 1
    assert past.values[load_at, 10] == past.values[net_at, 10] == pulses[10].load_kw
    assert np.isnan(past.believed[load_at, 10])
    assert past.believed[net_at, 10] == 7.0
    np.testing.assert_array_equal(past.believed[:, 11:], past.values[:, 11:])


@pytest.fixture
def stream(
    store: SqliteStore, forecaster: ForecastModel, fitted: FittedDetector
) -> tuple[MemoryStream, StreamEngine]:
    return embedded(store, forecaster, fitted)


def test_a_site_that_turns_false_is_told_once_and_once_more_when_it_is_true_again(
    load: RegularSeries,
    first: int,
    stream: tuple[MemoryStream, StreamEngine],
    caplog: pytest.LogCaptureFixture,
) -> None:
    pulses = scaled(pulses_of(load, first, first + 2 * DAY, "a"), 60, 64)
    with caplog.at_level(logging.INFO, "pipeline.pulse_judge"):
        for pulse in pulses:
            take(stream, [pulse])
    told = [record.getMessage().split(" (")[0] for record in caplog.records]
    assert told[0] == f"a: distrusted since {pulses[60].ts_utc.isoformat()}"
    assert told[1].startswith("a: trusted again from ")


def test_a_report_counts_what_was_judged(
    load: RegularSeries, first: int, forecaster: ForecastModel, fitted: FittedDetector
) -> None:
    stream = MemoryStream()
    engine = StreamEngine(stream, None, forecaster)
    engine.judge_by(PulseJudge(fitted, CADENCE_S))
    size = engine.state_bytes
    publish(stream, scaled(pulses_of(load, first, first + DAY, "any"), 30, 34))
    report = engine.drain()
    assert report.judged == DAY
    assert 1 <= report.alarms <= 4
    assert engine.state_bytes > size
