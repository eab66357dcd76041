"""What the engine asks of a stream: Kafka's few verbs, so that the in-memory stream and Kafka fit alike."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic; offsets count up by one within a partition."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


class Transport(Protocol):
    """A stream that one consumer reads."""

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic; records of one key keep their order."""
        ...

    def poll(self, max_records: int) -> list[Record]:
        """The next records of the consumed topic, at most ``max_records``; none when it is drained."""
        ...

    def commit(self) -> None:
        """Say that everything polled so far is done: a restart goes on after it."""
        ...
