"""The product's worker in the stream benchmark: the engine on Kafka, without a store."""

import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
from confluent_kafka import TopicPartition

from pipeline.engine import BatchReport, StreamEngine
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.kafka_stream import KafkaStream
from pipeline.pulse_judge import PulseJudge
from pipeline.transport import PartitionGiven, PartitionTaken
from smartgrid.bench.stream_worker import Reins, Stopwatch, WorkerReport, WorkerTask, resident_bytes

_PAST_KW = 50.0


class _WatchedStream(KafkaStream):
    """Knows which partitions it has, and where their history ends; can make them begin together."""

    def __init__(self, task: WorkerTask) -> None:
        super().__init__(task.connection, group=task.group, prefix=task.prefix)
        self.history: dict[int, int] = {}
        self._held: dict[int, TopicPartition] = {}

    def changes(self) -> list[PartitionGiven | PartitionTaken]:
        found = super().changes()
        for change in found:
            self.history.pop(change.partition, None)
            if isinstance(change, PartitionGiven):
                self.history[change.partition] = change.resume_at
        return found

    def hold_finished(self) -> bool:
        """Read no further in partitions whose history is done; True once it is in all of them.

        Kafka hands out one partition's records far ahead of another's.
        """
        for number, end in self.history.items():
            if number not in self._held and self._done[number] >= end:
                self._held[number] = TopicPartition(self._topic, number)
                self._consumer.pause([self._held[number]])
        return len(self._held) == len(self.history)

    def release(self) -> None:
        """Read on in all partitions."""
        self._consumer.resume(list(self._held.values()))

    def deliver(self) -> None:
        """Wait until all forecasts are delivered and their offsets committed."""
        self._settle()


class _Run:
    """An engine and what it has done so far."""

    def __init__(self, task: WorkerTask, stream: _WatchedStream, judge: PulseJudge | None) -> None:
        self.engine = StreamEngine(stream, None, load_stream_model(task.model_dir))
        self.engine.judge_by(judge)
        self.resident_bytes = resident_bytes()
        self.total = BatchReport()
        self.rebuild_cpu_s = 0.0

    def batch(self, *max_records: int) -> BatchReport:
        report = self.engine.run_once(*max_records)
        self.total += report
        return report

    def remember_days(self) -> None:
        """Give each site 14 days of a past; to send them would take days.

        What it is does not matter to the cost: any memory is looked up in the same way.
        """
        if (seasonal := self.engine._table.seasonal) is not None:
            means = seasonal._slots._means
            means[:] = np.random.default_rng(0).normal(_PAST_KW, 0.1 * _PAST_KW, means.shape[1])
            seasonal._as_of_us[:] = 0

    def report(self, since: BatchReport) -> WorkerReport:
        resident, before = resident_bytes(), self.resident_bytes
        return WorkerReport(
            events=self.total.polled - since.polled,
            forecasts=self.total.forecasts - since.forecasts,
            written=self.total.forecasts,
            rebuilt=self.total.rebuilt,
            rebuild_cpu_s=self.rebuild_cpu_s,
            state_bytes=self.engine.state_bytes,
            sites=self.engine.site_count,
            rss_growth_bytes=None if resident is None or before is None else resident - before,
        )


def engine(task: WorkerTask, reins: Reins) -> WorkerReport:
    """Rebuild the sites' states from the history, run in, then measure."""
    return work(task, reins)


def work(
    task: WorkerTask,
    reins: Reins,
    judge: PulseJudge | None = None,
    remember: Callable[[], None] = lambda: None,
) -> WorkerReport:
    """The same with a judge of false data.

    Args:
        task: what to do.
        reins: of the benchmark.
        judge: scores every pulse; none where None.
        remember: gives the judge's sites a past, after the run-in.
    """
    with closing(_WatchedStream(task)) as stream:
        run = _Run(task, stream, judge)
        while len(stream.history) != task.partitions:
            run.batch(1)
        reins.ready()
        begun_s = time.thread_time()
        while not stream.hold_finished():
            run.batch()
        run.rebuild_cpu_s = time.thread_time() - begun_s
        run.remember_days()
        stream.release()
        while run.total.polled < task.run_in:
            run.batch()
        remember()
        reins.ready()
        since, watch = run.total, Stopwatch()
        while run.total.polled - since.polled < task.events if task.events else not reins.stopped():
            run.batch()
        stream.deliver()
        return watch.stop(run.report(since))
