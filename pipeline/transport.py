"""What the engine asks of a stream: Kafka's few verbs, so that the in-memory stream and Kafka fit alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """One record of a topic; offsets grow within a partition. A tuple, since very many are made."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


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


class Transport(Protocol):
    """A stream that one consumer reads."""

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic; records of one key keep their order."""
        ...

    def poll(self, max_records: int) -> list[Record]:
        """The next records of the consumed topic, at most ``max_records``; none when it is drained."""
        ...

    def changes(self) -> list[PartitionGiven | PartitionTaken]:
        """Partitions given and taken since the last call, in order.

        They hold for the records of the newest :meth:`poll`, so ask after it. A partition that was
        never announced has a past that the log does not tell; the store does.
        """
        ...

    def commit(self, rebuild_from: Mapping[int, int] | None = None) -> None:
        """Say that everything polled so far is done: a restart goes on after it.

        Whatever was produced is delivered first.

        Args:
            rebuild_from: by partition, the offset from which the log rebuilds what is known now.
        """
        ...
