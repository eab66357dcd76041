"""Two stream processes of one consumer group, and what the broker says about them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.kafka_settings import KafkaConnection
from pipeline.messages import TELEMETRY_TOPIC
from tests.services.topic_reader import ONLY_CRITICAL, until

Answer = TypeVar("Answer")
SLOTS = ("a", "b")
LOOK_S = 0.02
"""How long to watch a worker between two questions to the broker."""


class Worker:
    """``smartgrid stream`` with a state directory of its own, which a successor takes over."""

    def __init__(self, command: list[str], repository: Path, state: Path) -> None:
        state.mkdir(exist_ok=True)
        self.log = state / "log.txt"
        # The store is the embedded one, whatever services the environment names.
        variables = {key: value for key, value in os.environ.items() if not key.startswith("SMARTGRID_")}
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self.process = subprocess.Popen(
                [*command, "--state", str(state)],
                cwd=repository,
                env={**variables, "SMARTGRID_LOG": "INFO", "PYTHONFAULTHANDLER": "1"},
                stdout=log,
                stderr=log,
            )

    def works_on(self, seconds: float = 0.0) -> None:
        """Fails if it ends by itself within this time."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        code = self.process.poll()
        assert code is None, f"a worker ended by itself, code {code}:\n{self._said()}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, once it listens to that: it leaves the group in order."""
        while b"stop with Ctrl-C" not in self.log.read_bytes()[self._begin :]:
            self.works_on(LOOK_S)
        self.process.terminate()
        code = self.process.wait(60)
        assert code == 0, f"a worker that was told to stop ended with code {code}:\n{self._said()}"

    def _said(self) -> str:
        """Its last lines, without those of clients that look for the broker."""
        lines = [line for line in self.log.read_text().splitlines() if " FAIL [" not in line]
        return "\n".join(lines[-30:])


class Group:
    """The workers, by slot."""

    def __init__(
        self, kafka: KafkaConnection, prefix: str, model_dir: Path, folder: Path, repository: Path
    ) -> None:
        self.name = prefix + "workers"
        self._topic = prefix + TELEMETRY_TOPIC
        self._folder, self._repository = folder, repository
        self._command = [sys.executable, "-c", "from smartgrid.cli import main; main()", "stream"]
        self._command += ["--brokers", kafka.brokers, "--group", self.name, "--topic-prefix", prefix]
        self._command += ["--model", str(model_dir)]
        self._client = {**kafka.config(), "log_level": ONLY_CRITICAL}
        self._consumer = Consumer({**self._client, "group.id": self.name})
        self.workers: dict[str, Worker] = {}

    @contextmanager
    def running(self) -> Iterator["Group"]:
        """Both workers; none is left behind."""
        try:
            for slot in SLOTS:
                self.start(slot)
            yield self
        finally:
            for worker in self.workers.values():
                worker.kill()
            self._consumer.close()

    def start(self, slot: str) -> None:
        self.workers[slot] = Worker(self._command, self._repository, self._folder / slot)

    def stop(self, slot: str) -> None:
        self.workers.pop(slot).stop()

    def check(self) -> None:
        """Fails if a worker ended by itself."""
        for worker in self.workers.values():
            worker.works_on(LOOK_S)

    def settled(self, size: int = len(SLOTS)) -> dict[int, str]:
        """Waits until so many members share all partitions; who has which."""
        owners: dict[int, str] = {}

        def look() -> None:
            self.check()
            owners.update(self._owners(size))

        until(lambda: len(owners) > 0, look, f"{size} members to share the partitions")
        return owners

    def _owners(self, size: int) -> dict[int, str]:
        """Empty while the group is changing."""
        # A client made before the broker went away may ask its old connection until it times out.
        admin = AdminClient(self._client)
        group = asked(admin.describe_consumer_groups([self.name], request_timeout=5)[self.name].result, None)
        if group is None or group.state != ConsumerGroupState.STABLE or len(group.members) != size:
            return {}
        owners = {
            found.partition: member.member_id
            for member in group.members
            for found in member.assignment.topic_partitions
        }
        return owners if len(owners) == self.partitions() else {}

    def partitions(self) -> int:
        return len(self._consumer.list_topics(self._topic, timeout=10).topics[self._topic].partitions)

    def committed(self) -> dict[int, int]:
        """Up to where each partition is finished."""
        places = [TopicPartition(self._topic, number) for number in range(self.partitions())]
        return {
            found.partition: max(found.offset, 0) for found in self._consumer.committed(places, timeout=10)
        }


def asked(ask: Callable[[], Answer], otherwise: Answer) -> Answer:
    """What the broker answers; ``otherwise`` while it is away or not ready."""
    try:
        return ask()
    except KafkaException:
        return otherwise
