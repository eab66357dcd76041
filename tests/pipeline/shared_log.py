"""A log that several readers share and that outlives them: Kafka's verbs, its faults at chosen moments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grid.telemetry import Telemetry
from pipeline.errors import TransportError
from pipeline.messages import TELEMETRY_TOPIC, encode_telemetry
from pipeline.transport import PartitionGiven, PartitionTaken, Record, RecordBatch


@dataclass
class SharedLog:
    """Partitions of telemetry, what is committed of them, and everything that was produced."""

    partitions: int = 2
    records: dict[int, list[Record]] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    produced: list[tuple[str, bytes]] = field(default_factory=list)

    def append(self, pulses: Iterable[Telemetry]) -> None:
        for pulse in pulses:
            number = sum(pulse.site.encode()) % self.partitions
            log = self.records.setdefault(number, [])
            value = encode_telemetry(pulse)
            log.append(Record(TELEMETRY_TOPIC, number, len(log), pulse.site, value))

    def finished(self) -> bool:
        return all(self.committed.get(number, 0) == len(log) for number, log in self.records.items())


class Reader:
    """One member's view of the log; a :class:`pipeline.transport.Transport`."""

    def __init__(self, log: SharedLog) -> None:
        self._log = log
        self._news: list[PartitionGiven | PartitionTaken] = []
        self.position: dict[int, int] = {}
        self.fail_next_commit = False
        self.read: list[tuple[int, int]] = []

    def give(self, number: int) -> None:
        resume_at = self._log.committed.get(number, 0)
        self.position[number] = self._log.marks.get(number, resume_at)
        self._news.append(PartitionGiven(number, resume_at))

    def take(self, number: int) -> None:
        del self.position[number]
        self._news.append(PartitionTaken(number))

    def produce(self, topic: str, key: str, value: bytes) -> None:  # noqa: ARG002  the protocol's
        self._log.produced.append((topic, value))

    def produce_many(self, topic: str, keys: Sequence[str], values: Sequence[bytes]) -> None:
        for key, value in zip(keys, values, strict=True):
            self.produce(topic, key, value)

    def poll(self, max_records: int) -> RecordBatch:
        found: list[Record] = []
        for number, start in self.position.items():
            part = self._log.records.get(number, [])[start : start + max_records - len(found)]
            self.position[number] = start + len(part)
            found += part
        self.read += [(record.partition, record.offset) for record in found]
        return RecordBatch.of(found)

    def changes(self) -> list[PartitionGiven | PartitionTaken]:
        news, self._news = self._news, []
        return news

    def commit(self, rebuild_from: Mapping[int, int] | None = None) -> None:
        if self.fail_next_commit:
            raise TransportError("the process dies here")
        for number, mark in (rebuild_from or {}).items():
            if self.position[number] > self._log.committed.get(number, 0):
                self._log.committed[number] = self.position[number]
                self._log.marks[number] = mark
