"""What ``bench scale`` measures of workers: costs at some numbers of sites, the rest to test the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from pipeline.kafka_settings import KafkaConnection
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC
from smartgrid.bench.scale_model import Run
from smartgrid.bench.scale_process import broker_process
from smartgrid.bench.scale_wire import WireBytes, wire_bytes
from smartgrid.bench.stream import BenchPlan, Say, StreamBench
from smartgrid.bench.stream_engine import engine
from smartgrid.bench.stream_topics import BenchTopics, bench_topics
from smartgrid.bench.stream_worker import WorkerReport


@dataclass(frozen=True, slots=True)
class Load:
    """Runs at one number of sites.

    Attributes:
        sites: how many.
        workers: of each run, in turn.
    """

    sites: int
    workers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wire:
    """An event on its way in, and its forecast.

    Attributes:
        telemetry, forecast: bytes.
        broker_in_us: CPU µs of the broker to take a pulse; None where it runs elsewhere.
    """

    telemetry: WireBytes
    forecast: WireBytes
    broker_in_us: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and with what everything is measured.

    Attributes:
        connection: the brokers.
        folder: of the model.
        events: of a run.
        tail_events: that stay unread behind them, as ``bench stream`` has them.
        say: told what happens.
    """

    connection: KafkaConnection
    folder: Path
    events: int
    tail_events: int
    say: Say

    def plan(self) -> BenchPlan:
        """As ``bench stream`` takes it; windows hold the same at every number of sites."""
        return BenchPlan(events=self.events, tail_events=self.tail_events, dense_events=0, latency_s=0.0)


def measure(bench: Bench, load: Load) -> list[Run]:
    """All runs at one number of sites, on one topic."""
    with bench_topics(bench.connection) as topics:
        return _Measuring(bench, load, topics).runs()


def measure_with_wire(bench: Bench, load: Load) -> tuple[list[Run], Wire]:
    """The same, and what a record is on the network."""
    with bench_topics(bench.connection) as topics:
        measuring = _Measuring(bench, load, topics)
        return measuring.runs(), measuring.wire()


class _Measuring:
    """A topic that is filled, and its runs; the broker's CPU time is looked at where it runs here."""

    def __init__(self, bench: Bench, load: Load, topics: BenchTopics) -> None:
        self._load, self._topics = load, topics
        self._broker = broker_process(bench.connection.brokers)
        begun_s = self._broker_s()
        self._stream = StreamBench(
            topics, bench.plan(), load.sites, bench.folder, bench.say, meter=self._broker_s
        )
        self._filled_s = self._broker_s() - begun_s

    def _broker_s(self) -> float:
        return 0.0 if self._broker is None else self._broker.cpu_s

    def runs(self) -> list[Run]:
        runs = []
        for workers in self._load.workers:
            reports = self._stream.run(f"{workers} at once", engine, workers=workers)
            cpu_s = None if self._broker is None else self._stream.metered
            runs.append(run_of(self._load.sites, reports, cpu_s))
        return runs

    def wire(self) -> Wire:
        """After the runs, which made the forecasts."""
        records = sum(self._topics.ends(TELEMETRY_TOPIC).values())
        return Wire(
            wire_bytes(self._topics, TELEMETRY_TOPIC),
            wire_bytes(self._topics, FORECASTS_TOPIC),
            None if self._broker is None else 1e6 * self._filled_s / records,
        )


def run_of(sites: int, reports: Sequence[WorkerReport], broker_cpu_s: float | None) -> Run:
    """What the reports of a run's workers mean together."""
    events = sum(report.events for report in reports)
    wall_s = max(report.ended for report in reports) - min(report.begun for report in reports)
    micro = 1e6 / events
    return Run(
        sites=sites,
        workers=len(reports),
        events=events,
        events_per_s=events / wall_s,
        main_us=micro * sum(report.main_cpu_s for report in reports),
        worker_us=micro * sum(report.cpu_s for report in reports),
        broker_us=None if broker_cpu_s is None else micro * broker_cpu_s,
        rebuild_us=1e6 * fmean(report.rebuild_cpu_s / max(1, report.rebuilt) for report in reports),
        state_bytes_per_site=sum(report.state_bytes or 0 for report in reports)
        / max(1, sum(report.sites for report in reports)),
    )
