"""A worker process of the stream benchmark, and how the benchmark speaks to it.

A worker says when it has its partitions, when it is warm, and at last what it measured; between
these it waits for a word, so that several begin together.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from pipeline.kafka_settings import KafkaConnection
from smartgrid.collector import look_for_cycles_rarely
from smartgrid.errors import SmartGridError

_PATIENCE_S = 900.0
_STATM = Path("/proc/self/statm")
_PAGE_BYTES = 4096


class BenchError(SmartGridError):
    """A benchmark's run went wrong; the text says what to change."""


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What a worker is to do.

    Attributes:
        connection: the brokers.
        prefix: of the topics.
        model_dir: directory of the model.
        group: consumer group of the engine.
        partitions: how many of them this worker will be given.
        run_in: events to process before the measurement, after the history.
        events: events to measure; None to go on until told to stop.
        begin: by partition, where the floor begins to read.
    """

    connection: KafkaConnection
    prefix: str
    model_dir: Path
    group: str
    partitions: int
    run_in: int
    events: int | None
    begin: dict[int, int]


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker did.

    Attributes:
        events: records that it processed while it was measured; each is a forecast, a duplicate or
            a dead letter, or has no net load.
        forecasts: of them, how many forecasts were delivered.
        written: forecasts of the whole run, the run-in's included.
        begun, ended: wall clock in seconds since 1970.
        cpu_s: of the process while it was measured, all of its threads.
        main_cpu_s: of that, what the thread took that runs Python; the others are of Kafka's client.
        rebuilt: records before the measured ones that only rebuilt the sites' states.
        rebuild_cpu_s: CPU time of the same thread that these took.
        state_bytes: of the sites' arrays; None where there are none.
        sites: that it knows.
        rss_growth_bytes: resident memory since before the first record; None where unknown.
    """

    events: int = 0
    forecasts: int = 0
    written: int = 0
    begun: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    main_cpu_s: float = 0.0
    rebuilt: int = 0
    rebuild_cpu_s: float = 0.0
    state_bytes: int | None = None
    sites: int = 0
    rss_growth_bytes: int | None = None

    @property
    def wall_s(self) -> float:
        """How long it was measured."""
        return self.ended - self.begun


class Reins:
    """The worker's side: says how far it is, and waits for a word."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def ready(self) -> None:
        """Say that a stage is reached, and wait to go on."""
        self._pipe.send("ready")
        self._pipe.recv()

    def stopped(self) -> bool:
        """True once the benchmark has said a word more."""
        return self._pipe.poll(0)


Job = Callable[[WorkerTask, Reins], WorkerReport]


class Worker:
    """The benchmark's side of a worker."""

    def __init__(self, name: str, pipe: Connection, kill: Callable[[], None]) -> None:
        self._name = name
        self._pipe = pipe
        self.kill = kill
        """SIGKILL."""

    def await_ready(self) -> None:
        """Wait until its next stage is reached.

        Raises:
            BenchError: if it ended before.
        """
        self._receive()

    def go_on(self) -> None:
        """Let it begin its next stage, or stop where it has none."""
        self._pipe.send("go on")

    def report(self) -> WorkerReport:
        """Wait for what it measured.

        Raises:
            BenchError: if it ended without.
        """
        report = self._receive()
        if not isinstance(report, WorkerReport):
            raise BenchError(f"{self._name}: said {report!r} instead of a report; this is a defect")
        return report

    def _receive(self) -> object:
        if not self._pipe.poll(_PATIENCE_S):
            raise BenchError(f"{self._name}: silent for {_PATIENCE_S:g} s; try fewer --sites")
        try:
            return self._pipe.recv()
        except EOFError:
            raise BenchError(f"{self._name}: ended without a report; its traceback is above") from None


@contextmanager
def worker(job: Job, task: WorkerTask) -> Iterator[Worker]:
    """A worker process; it is ended when the block is left.

    Args:
        job: the function that it runs.
        task: what it is to do.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(job, task, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Worker(job.__name__, ours, process.kill)
        process.join(_PATIENCE_S)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def _run(job: Job, task: WorkerTask, pipe: Connection) -> None:
    look_for_cycles_rarely()  # as `smartgrid stream` does; the floor has the same
    pipe.send(job(task, Reins(pipe)))
    pipe.close()


class Stopwatch:
    """Wall and CPU time of this process from its making to :meth:`stop`."""

    def __init__(self) -> None:
        self._cpu_s, self._main_cpu_s = cpu_seconds(), time.thread_time()
        self._begun = time.time()

    def stop(self, report: WorkerReport) -> WorkerReport:
        """The report with its times."""
        ended = time.time()
        cpu_s, main_cpu_s = cpu_seconds() - self._cpu_s, time.thread_time() - self._main_cpu_s
        return replace(report, begun=self._begun, ended=ended, cpu_s=cpu_s, main_cpu_s=main_cpu_s)


def cpu_seconds() -> float:
    """CPU seconds of this process so far, all of its threads."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_bytes() -> int | None:
    """Resident memory of this process now; None where the system does not say."""
    return int(_STATM.read_text().split()[1]) * _PAGE_BYTES if _STATM.exists() else None
