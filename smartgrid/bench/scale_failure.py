"""One of two real workers is killed under paced load: how far the group falls behind, and when it is back."""

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, inf
from typing import Final

from confluent_kafka import Consumer

from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC
from pipeline.window_table import Reach
from smartgrid.bench.scale_measure import Bench
from smartgrid.bench.scale_recovery import Sample
from smartgrid.bench.stream_engine import engine
from smartgrid.bench.stream_load import CADENCE_S, LoadSize, StreamLoad
from smartgrid.bench.stream_topics import PARTITIONS, BenchTopics, bench_topics
from smartgrid.bench.stream_worker import BenchError, Worker, WorkerTask, cpu_seconds, worker

SAMPLE_S: Final = 0.25
RETENTION_TURNS: Final = ceil(Reach.of(CADENCE_S).retention_ms / 1000.0 / CADENCE_S)
"""Pulses of a site that its state reaches back."""
_TURN_S: Final = 0.005
_PATIENCE_S: Final = 60.0
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class FailurePlan:
    """The scenario.

    Attributes:
        sites: how many.
        rate_per_s: pulses a second that are produced; more than one a site in 5 s, so that the log is
            read as in a replay.
        turns: pulses of each site that are finished before, behind the history.
        before_s: paced before the kill.
        after_s: and after it, at most.
    """

    sites: int = 1_000
    rate_per_s: float = 15_000.0
    turns: int = RETENTION_TURNS
    before_s: float = 5.0
    after_s: float = 32.0

    def size(self) -> LoadSize:
        """How many pulses each site sends."""
        paced = ceil(self.rate_per_s * (self.before_s + self.after_s) / self.sites) + 1
        return LoadSize(self.sites, run_in=0, measured=self.turns, tail=0, paced=paced, dense=True)


@dataclass(frozen=True, slots=True)
class FailureRun:
    """What was seen from outside.

    Attributes:
        samples: seconds since the pacing began.
        fault_at_s: when the worker was killed.
        log_records: on the topic before the pacing began.
        sent: paced pulses.
        producer_us: CPU µs that a paced pulse cost its producer.
    """

    samples: list[Sample]
    fault_at_s: float
    log_records: int
    sent: int
    producer_us: float


def measure_failure(bench: Bench, plan: FailurePlan) -> FailureRun:
    """Two workers, one of them killed.

    Raises:
        BenchError: if they do not catch up before the pacing begins, or events stay unfinished.
    """
    bench.say(f"{plan.sites} sites: one of two workers is killed")
    with bench_topics(bench.connection) as topics, ExitStack() as stack:
        load = StreamLoad(plan.size(), datetime.now(UTC))
        history_end = topics.fill(load, load.size.history())
        ends = topics.fill(load, load.size.after_history())
        group = topics.group_at(history_end)
        task = WorkerTask(bench.connection, topics.prefix, bench.folder, group, PARTITIONS // 2, 0, None, {})
        lag = stack.enter_context(closing(_Committed(topics, group)))
        workers = [stack.enter_context(worker(engine, task)) for _ in range(2)]
        for _stage in ("has its partitions", "is warm"):
            for one in workers:
                one.await_ready()
                one.go_on()
        total = sum(ends.values())
        _await_idle(lag, total)
        found = _paced(topics, load, plan, lag=lag, victim=workers[0], total=total)
        _await_idle(lag, total + found.sent)
        workers[1].go_on()
        workers[1].report()
        return found


class _Committed:
    """How far the group has come."""

    def __init__(self, topics: BenchTopics, group: str) -> None:
        self._consumer: Consumer = topics.consumer(group)
        self._places = topics.places(TELEMETRY_TOPIC, dict.fromkeys(range(PARTITIONS), 0))

    def close(self) -> None:
        self._consumer.close()

    def records(self) -> int:
        found = self._consumer.committed(self._places, timeout=_TIMEOUT_S)
        return sum(max(0, place.offset) for place in found)


def _await_idle(lag: _Committed, total: int) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while (done := lag.records()) < total:
        if time.monotonic() > give_up:
            raise BenchError(f"a lost worker: {total - done} events are unfinished after a minute; try fewer")
        time.sleep(SAMPLE_S)


def _paced(
    topics: BenchTopics, load: StreamLoad, plan: FailurePlan, *, lag: _Committed, victim: Worker, total: int
) -> FailureRun:
    """Produce at a steady pace in this thread, look at the lag between, and kill the victim on the way."""
    pulses = [
        pair for turn in load.turns(load.size.paced_turns()) for pair in zip(load.keys, turn, strict=True)
    ]
    writer = KafkaWriter(topics.connection, prefix=topics.prefix)
    samples: list[Sample] = []
    killed_at_s = inf
    sent, cpu_s, begun = 0, cpu_seconds(), time.monotonic()
    # On a busy machine a turn may take long: there is a sample after the kill all the same.
    until_s = plan.before_s + plan.after_s
    while (now_s := time.monotonic() - begun) < until_s or not samples or samples[-1].t_s <= killed_at_s:
        due = min(len(pulses), int(now_s * plan.rate_per_s))
        for key, value in pulses[sent:due]:
            writer.produce(TELEMETRY_TOPIC, key, value)
        sent = due
        writer.serve()
        if killed_at_s == inf and now_s >= plan.before_s:
            victim.kill()
            killed_at_s = now_s
        if now_s >= len(samples) * SAMPLE_S:
            done = lag.records() - total
            samples.append(Sample(now_s, sent, sent - done))
        time.sleep(_TURN_S)
    cpu_s = cpu_seconds() - cpu_s
    writer.flush()
    return FailureRun(samples, killed_at_s, total, sent, 1e6 * cpu_s / max(1, sent))
