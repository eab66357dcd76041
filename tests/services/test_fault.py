"""Killed workers, moved partitions, a killed broker: what one uninterrupted reader makes, bit for bit."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from pipeline.kafka_settings import KafkaConnection
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC
from pipeline.model import ForecastModel
from tests.services.fault_group import SLOTS, Group, asked
from tests.services.fault_oracle import Findings, judge
from tests.services.fault_plan import BrokerKill, Kill, Move, plan
from tests.services.topic_reader import TopicReader, until

pytestmark = pytest.mark.service
Replay = Callable[[], AbstractContextManager[Callable[[], int]]]

RECORDS_PER_S = 400.0
"""Slow enough for many batches, so that faults meet work wherever they come."""


@pytest.fixture
def group(kafka: KafkaConnection, topics: str, model_dir: Path, tmp_path: Path, repository: Path) -> Group:
    return Group(kafka, topics, model_dir, tmp_path, repository)


@pytest.fixture
def replay(kafka: KafkaConnection, topics: str, seed: int, repository: Path) -> Replay:
    """Starts a producer process; what it yields ends it and says how many records it sent."""
    words = [sys.executable, "-m", "tests.services.fault_producer", kafka.brokers, topics]
    words += [str(seed), str(RECORDS_PER_S)]

    @contextmanager
    def start() -> Iterator[Callable[[], int]]:
        process = subprocess.Popen(
            words,
            cwd=repository,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end() -> int:
            said, errors = process.communicate(timeout=150)
            assert process.returncode == 0, errors
            return int(said)

        try:
            yield end
        finally:
            process.kill()
            process.communicate()

    return start


@dataclass
class Faults:
    """Makes the planned faults, and counts them."""

    group: Group
    reader: TopicReader
    random: Random
    services: str | None
    done: Counter[str] = field(default_factory=Counter)

    def make(self, fault: Kill | Move | BrokerKill) -> None:
        match fault:
            case Kill(moment, workers):
                chosen = self.random.sample(SLOTS, workers)
                self._await(moment, chosen[0])
                self._kill(chosen)
            case Move():
                self._move(self.random.choice(SLOTS))
            case BrokerKill(workers):
                self._kill_broker(self.random.sample(SLOTS, workers))
        self.group.check()

    def _kill(self, slots: list[str]) -> None:
        for slot in slots:
            self.group.workers[slot].kill()
            self.done["workers killed"] += 1
        for slot in slots:
            self.group.start(slot)

    def _await(self, moment: str, slot: str) -> None:
        if moment == "after a rebalance":
            self.group.settled()
            self.group.workers[slot].works_on(self.random.uniform(0.0, 0.3))
        elif moment == "after a forecast was written":
            before = self._forecasts()
            until(lambda: self._forecasts() > before, lambda: None, "one more forecast")  # without a pause
        elif moment == "after it started":
            self.group.workers[slot].works_on(self.random.uniform(0.0, 4.0))
        else:
            self.group.workers[slot].works_on(self.random.uniform(0.0, 8.0))

    def _forecasts(self) -> int:
        return asked(lambda: self.reader.count(FORECASTS_TOPIC), 0)

    def _move(self, slot: str) -> None:
        owners = self.group.settled()
        self.group.stop(slot)
        for size in (1, 2):
            moved = self.group.settled(size)
            self.done["partitions moved"] += sum(owners[number] != moved[number] for number in moved)
            owners = moved
            if size == 1:
                self.group.start(slot)

    def _kill_broker(self, slots: list[str]) -> None:
        assert self.services is not None
        subprocess.run([self.services, "kill", "kafka"], check=True)
        self._kill(slots)
        self.group.workers[SLOTS[0]].works_on(self.random.uniform(0.0, 2.0))
        subprocess.run([self.services, "up", "kafka"], check=True)
        self.done["broker killed"] += 1


def finished(group: Group, reader: TopicReader) -> bool:
    return asked(lambda: group.committed() == reader.ends(TELEMETRY_TOPIC), False)


def test_killed_workers_moved_partitions_and_a_killed_broker_lose_and_change_nothing(
    group: Group,
    replay: Replay,
    reader: TopicReader,
    model: ForecastModel,
    seed: int,
    *,
    kills: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = os.environ.get("SMARTGRID_SERVICES_BIN")  # without it nobody can kill the broker
    faults = Faults(group, reader, Random(seed), services)
    begin = time.monotonic()
    with capsys.disabled():
        sys.stdout.write(f"\nfault test: --kills {kills} --fault-seed {seed}\n")
    with group.running(), replay() as end:
        for fault in plan(kills, faults.random, broker=services is not None):
            faults.make(fault)
        sent = end()
        until(lambda: finished(group, reader), group.check, "everything to be finished")
        for slot in SLOTS:
            group.stop(slot)
    findings = judge(reader, model, seed=seed, sent=sent)
    with capsys.disabled():
        sys.stdout.write(table(faults.done, findings, time.monotonic() - begin))
    assert findings.wrong == []
    assert faults.done["workers killed"] == kills
    assert faults.done["partitions moved"] > 0
    assert faults.done["broker killed"] == (services is not None)


def table(done: Counter[str], findings: Findings, seconds: float) -> str:
    rows: dict[str, object] = {
        "workers killed (SIGKILL)": done["workers killed"],
        "partitions moved between live workers": done["partitions moved"],
        "broker killed (SIGKILL)": done["broker killed"],
        **findings.counts,
        "seconds": f"{seconds:.0f}",
    }
    return "".join(f"  {name:<42}{value:>10}\n" for name, value in rows.items())
