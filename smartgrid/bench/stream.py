"""``bench stream``: one worker from Kafka to Kafka, beside the bare floor and beside pandas, in one run."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pipeline.engine import BATCH_RECORDS
from pipeline.kafka_settings import KafkaConnection
from pipeline.model import ForecastModel
from smartgrid.bench.stream_engine import engine
from smartgrid.bench.stream_floor import floor
from smartgrid.bench.stream_latency import Latency, measure_latency
from smartgrid.bench.stream_load import DENSE_TURNS, LoadSize, StreamLoad
from smartgrid.bench.stream_model import BareTrees, bench_model
from smartgrid.bench.stream_pandas import pandas_events
from smartgrid.bench.stream_scoring import bench_detector, scoring, whole_rows
from smartgrid.bench.stream_topics import PARTITIONS, BenchTopics, bench_topics
from smartgrid.bench.stream_worker import BenchError, Job, WorkerReport, WorkerTask, worker

Say = Callable[[str], None]
_RUN_IN_SHARE = 0.25
_MOST_PACED_PER_S = 30_000
_OVERSHOOT_EVENTS = 6 * BATCH_RECORDS
"""History, run-in and measurement end with a batch, in each of two workers."""


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """How much is measured.

    Attributes:
        sites: sizes of the stream, each measured by itself.
        repeats: of engine, floor and two engines, in turn.
        events: that a run measures, at least.
        tail_events: that stay unread behind them; as many as a consumer fetches ahead.
        dense_events: how many the history may have to be dense.
        latency_s: for how long pulses are paced.
        pandas_events: how many pandas rebuilds.
    """

    sites: tuple[int, ...] = (1_000, 100_000)
    repeats: int = 3
    events: int = 300_000
    tail_events: int = 300_000
    dense_events: int = 1_000_000
    latency_s: float = 10.0
    pandas_events: int = 300

    def size(self, sites: int) -> LoadSize:
        """How many pulses each of so many sites sends."""
        return LoadSize(
            sites=sites,
            run_in=ceil(_run_in(self.events, sites) / sites),
            measured=ceil(self.events / sites),
            tail=ceil((self.tail_events + _OVERSHOOT_EVENTS) / sites),
            paced=ceil(_MOST_PACED_PER_S * self.latency_s / sites),
            dense=sites * DENSE_TURNS <= self.dense_events,
        )


QUICK = BenchPlan((500, 5_000), 1, 40_000, 40_000, 200_000, 3.0, 50)
"""A look within a minute; its figures scatter."""


@dataclass(frozen=True, slots=True)
class SizeResult:
    """What was measured at one number of sites.

    Attributes:
        sites: how many.
        dense: whether the 30-minute windows were full of pulses.
        engine, floor: one report a repeat.
        two: both workers' reports, a pair a repeat.
        latency: at a tenth of the engine's median rate.
        prefix: of the topics, which are gone.
        scoring: as ``engine``, with false data looked for; none where that was not asked for, or the
            events are too few for a row of the detector at every site.
    """

    sites: int
    dense: bool
    engine: tuple[WorkerReport, ...]
    floor: tuple[WorkerReport, ...]
    two: tuple[tuple[WorkerReport, ...], ...]
    latency: Latency
    prefix: str
    scoring: tuple[WorkerReport, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What was measured.

    Attributes:
        trees: single trees of the model, those of all quantiles together.
        cores: that this process may use.
        busy_cores: others' load on the machine at the start (its one-minute average).
        sizes: one result a number of sites.
        pandas: the per-event rebuild.
    """

    trees: int
    cores: int
    busy_cores: float
    sizes: tuple[SizeResult, ...]
    pandas: WorkerReport


def bench_stream(
    connection: KafkaConnection,
    plan: BenchPlan,
    given: Path | None,
    say: Say,
    *,
    forecaster: bool = False,
    fdia: bool = False,
) -> StreamResult:
    """Measure all of it, one after the other.

    Args:
        connection: the brokers.
        plan: how much.
        given: directory of a model; one is trained where None.
        say: told what happens.
        forecaster: train and measure the forecaster of seasonal inputs.
        fdia: measure the engine with false data looked for, too.

    Raises:
        BenchError: if a worker fails, or events or forecasts are missing.
        PipelineError: if the brokers do not answer, or the model cannot be used.
    """
    busy = os.getloadavg()[0]
    with TemporaryDirectory(prefix="smartgrid-bench-") as name:
        folder = Path(name)
        model = bench_model(given, folder, forecaster=forecaster)
        detector = bench_detector(given, folder) if fdia else None
        say("pandas, one event at a time")
        pandas = _pandas(plan, model)
        scored = [0 if detector is None else whole_rows(plan.events, sites, detector) for sites in plan.sites]
        sizes = tuple(
            _measure(connection, plan, sites, folder, say, scored=events)
            for sites, events in zip(plan.sites, scored, strict=True)
        )
        return StreamResult(len(BareTrees(folder)), os.cpu_count() or 1, busy, sizes, pandas)


def _run_in(events: int, sites: int) -> int:
    """Events before the measured ones: a share of them, and a pulse of each site, whose first costs more."""
    return max(round(events * _RUN_IN_SHARE), sites)


def _pandas(plan: BenchPlan, model: ForecastModel) -> WorkerReport:
    size = LoadSize(1, 0, plan.pandas_events, 0, 0, dense=True)
    load = StreamLoad(size, datetime.now(UTC))
    turns = load.turns(size.history() + size.after_history())
    return pandas_events([turn[0] for turn in turns], model, plan.pandas_events)


def _measure(
    connection: KafkaConnection,
    plan: BenchPlan,
    sites: int,
    folder: Path,
    say: Say,
    *,
    scored: int,
) -> SizeResult:
    """All at one number of sites, on one topic; ``scored`` events with false data looked for."""
    with bench_topics(connection) as topics:
        bench = StreamBench(topics, plan, sites, folder, say)
        engines, floors, twos, scorings = [], [], [], []
        for turn in range(1, plan.repeats + 1):
            engines += bench.run(f"engine {turn}", engine)
            floors += bench.run(f"floor {turn}", floor)
            twos.append(tuple(bench.run(f"two engines {turn}", engine, workers=2)))
            if scored:
                scorings += bench.run(f"engine, false data {turn}", scoring, events=scored)
        rate_per_s = median(report.events / report.wall_s for report in engines) / 10.0
        latency = bench.latency(rate_per_s)
        return SizeResult(
            sites,
            bench.dense,
            tuple(engines),
            tuple(floors),
            tuple(twos),
            latency,
            topics.prefix,
            tuple(scorings),
        )


class StreamBench:
    """A filled topic, and runs of workers on it.

    Args:
        topics: empty.
        plan: how much is put there and measured.
        sites: how many send.
        folder: of the model.
        say: told what happens.
        meter: read at the beginning and at the end of each run's measurement.

    Attributes:
        dense: whether the 30-minute windows are full of pulses.
        metered: what the meter gained during the newest run's measurement.
    """

    def __init__(
        self,
        topics: BenchTopics,
        plan: BenchPlan,
        sites: int,
        folder: Path,
        say: Say,
        *,
        meter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        size = plan.size(sites)
        self.dense = size.dense
        self._meter, self.metered = meter, 0.0
        self._topics, self._plan, self._sites, self._say = topics, plan, sites, say
        say(f"{sites} sites: filling the topic")
        self._load = StreamLoad(size, datetime.now(UTC))
        self._history_end = topics.fill(self._load, size.history())
        self._end = topics.fill(self._load, size.after_history())
        self._task = WorkerTask(
            topics.connection, topics.prefix, folder, "", PARTITIONS, 0, None, self._history_end
        )

    def run(self, name: str, job: Job, *, workers: int = 1, events: int | None = None) -> list[WorkerReport]:
        """Workers that share the topic; each measures its part at the same time."""
        self._say(f"{self._sites} sites: {name}")
        events = (events or self._plan.events) // workers
        task = replace(
            self._task,
            group=self._topics.group_at(self._history_end),
            partitions=PARTITIONS // workers,
            run_in=_run_in(events, self._sites // workers),
            events=events,
        )
        before = self._topics.forecasts()
        with ExitStack() as stack:
            running = [stack.enter_context(worker(job, task)) for _ in range(workers)]
            for _stage in ("has its partitions", "is warm"):
                for one in running:
                    one.await_ready()
                begun = self._meter()
                for one in running:
                    one.go_on()
            reports = [one.report() for one in running]
            self.metered = self._meter() - begun
        self._account(name, reports, self._topics.forecasts() - before)
        return reports

    def latency(self, rate_per_s: float) -> Latency:
        """Paced pulses through an engine that has all sites' states and nothing else to do."""
        rate_per_s = min(rate_per_s, _MOST_PACED_PER_S)
        self._say(f"{self._sites} sites: latency at {rate_per_s:.0f} events/s")
        task = replace(self._task, group=self._topics.group_at(self._end))
        with worker(engine, task) as running:
            for _stage in ("has its partitions", "is warm"):
                running.await_ready()
                running.go_on()
            events = round(rate_per_s * self._plan.latency_s)
            found = measure_latency(self._topics, self._load, rate_per_s, events)
            running.go_on()
            running.report()
        return found

    def _account(self, name: str, reports: list[WorkerReport], delivered: int) -> None:
        """Every event has its forecast, and every forecast is on the topic."""
        written = sum(report.written for report in reports)
        missing = sum(report.events - report.forecasts for report in reports)
        if missing or written != delivered:
            raise BenchError(
                f"{name}: {missing} events without a forecast; {written} forecasts made, {delivered} on the "
                "topic. Does anybody else write there? Run it again on a broker that stays up"
            )
