"""The embedded stream: topics in memory, one partition each, with offsets as on Kafka."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from pipeline.messages import TELEMETRY_TOPIC
from pipeline.transport import UNKNOWN_MS, PartitionGiven, PartitionTaken, Record, RecordBatch

RETAINED_RECORDS = 100_000
"""How many records of a topic stay at most, beside those that the consumer has not committed."""


@dataclass
class _Topic:
    first_offset: int = 0
    records: list[Record] = field(default_factory=list)

    @property
    def end_offset(self) -> int:
        return self.first_offset + len(self.records)

    def trim(self, keep_from: int) -> None:
        """Forget the oldest records once twice the retention has gathered."""
        surplus = min(len(self.records) - RETAINED_RECORDS, keep_from - self.first_offset)
        if surplus >= RETAINED_RECORDS:
            del self.records[:surplus]
            self.first_offset += surplus


class MemoryStream:
    """A :class:`pipeline.transport.Transport` within one process; safe between threads.

    Args:
        consumed: the topic that :meth:`poll` reads.
        written_ms: tells the time that records are stamped with; by default it is not known.
    """

    def __init__(
        self, consumed: str = TELEMETRY_TOPIC, written_ms: Callable[[], int] = lambda: UNKNOWN_MS
    ) -> None:
        self._consumed = consumed
        self._written_ms = written_ms
        self._topics: dict[str, _Topic] = {consumed: _Topic()}
        self._position = 0
        self._committed = 0
        self._lock = Lock()

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic."""
        self.produce_many(topic, [key], [value])

    def produce_many(self, topic: str, keys: Sequence[str], values: Sequence[bytes]) -> None:
        """Append records to a topic, one for each pair of key and value."""
        with self._lock:
            log = self._topics.setdefault(topic, _Topic())
            for key, value in zip(keys, values, strict=True):
                log.records.append(Record(topic, 0, log.end_offset, key, value, self._written_ms()))
            log.trim(self._committed if topic == self._consumed else log.end_offset)

    def poll(self, max_records: int) -> RecordBatch:
        """The next records of the consumed topic, at most ``max_records``."""
        with self._lock:
            log = self._topics[self._consumed]
            start = self._position - log.first_offset
            found = log.records[start : start + max_records]
            self._position += len(found)
            return RecordBatch.of(found)

    def changes(self) -> list[PartitionGiven | PartitionTaken]:
        """None ever: its one partition has one reader, and a log that ends with the process."""
        return []

    def commit(self, rebuild_from: Mapping[int, int] | None = None) -> None:  # noqa: ARG002  see changes()
        """Say that everything polled so far is done."""
        with self._lock:
            self._committed = self._position

    def rewind(self) -> None:
        """Go back to what was committed last, as a restarted consumer does."""
        with self._lock:
            self._position = self._committed

    def records(self, topic: str, start_offset: int = 0) -> list[Record]:
        """The retained records of a topic from an offset on."""
        with self._lock:
            log = self._topics.get(topic, _Topic())
            return log.records[max(0, start_offset - log.first_offset) :]
