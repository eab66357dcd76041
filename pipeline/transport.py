"""What the engine asks of a stream: Kafka's few verbs, so that the in-memory stream and Kafka fit alike."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

UNKNOWN_MS = -1


class Record(NamedTuple):
    """One record of a topic; offsets grow within a partition.

    Attributes:
        written_ms: when it was written, in ms since 1970; negative where that is not known.
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    written_ms: int = UNKNOWN_MS


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of one topic as columns, since very many come at once.

    ``key`` gives a record's key by its place: few are ever asked for.
    """

    topic: str = ""
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    key: Callable[[int], str | bytes | None] = lambda _place: None
    values: list[bytes] = field(default_factory=list)
    written_ms: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, records: Iterable[Record]) -> "RecordBatch":
        """Some records of one topic."""
        columns = list(zip(*records, strict=True))
        if not columns:
            return cls()
        topics, partitions, offsets, keys, values, written_ms = columns
        return cls(
            topics[0], list(partitions), list(offsets), keys.__getitem__, list(values), list(written_ms)
        )

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Record]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Record:
        return Record(
            self.topic,
            self.partitions[i],
            self.offsets[i],
            _text(self.key(i)),
            self.values[i],
            self.written_ms[i],
        )

    def part(self, places: Sequence[int]) -> "RecordBatch":
        """The records at some places."""
        return RecordBatch(
            self.topic,
            [self.partitions[i] for i in places],
            [self.offsets[i] for i in places],
            lambda i: self.key(places[i]),
            [self.values[i] for i in places],
            [self.written_ms[i] for i in places],
        )


def _text(key: str | bytes | None) -> str:
    """A key as text; bytes that are no UTF-8 come back unharmed when they are encoded the same way."""
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key or ""


@dataclass(frozen=True, slots=True)
class PartitionGiven:
    """This consumer reads a partition from now on, and its log alone tells what was before.

    Attributes:
        partition: its number.
        resume_at: the first offset that is not finished. Records before it come again to rebuild
            the state; nothing is issued for them.
    """

    partition: int
    resume_at: int


@dataclass(frozen=True, slots=True)
class PartitionTaken:
    """Another consumer reads a partition from now on: what is known of it here is out of date."""

    partition: int


@dataclass(frozen=True, slots=True)
class PartitionAhead:
    """Another consumer finished records of a partition that is known here; what is known stays.

    Attributes:
        partition: its number.
        resume_at: the first offset that is not finished. Records before it come only to bring the
            state there; nothing is issued for them.
    """

    partition: int
    resume_at: int


PartitionChange = PartitionGiven | PartitionTaken | PartitionAhead


class Producing(Protocol):
    """Takes records."""

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic; records of one key keep their order."""
        ...


class Transport(Producing, Protocol):
    """A stream that one consumer reads."""

    def produce_many(self, topic: str, keys: Sequence[str], values: Sequence[bytes]) -> None:
        """Append records to a topic, one for each pair of key and value."""
        ...

    def poll(self, max_records: int) -> RecordBatch:
        """The next records of the consumed topic, at most ``max_records``; none when it is drained."""
        ...

    def changes(self) -> Sequence[PartitionChange]:
        """What became of partitions since the last call, in order.

        They hold for the records of the newest :meth:`poll`, so ask after it. A partition that was
        never announced has a past that the log does not tell; the store does.
        """
        ...

    def commit(self, rebuild_from: Mapping[int, int] | None = None) -> None:
        """Say that everything polled so far is done: a restart goes on after it.

        It holds once whatever was produced is delivered; until then a restart does the batch again.

        Args:
            rebuild_from: by partition, the offset from which the log rebuilds what is known now.
        """
        ...
