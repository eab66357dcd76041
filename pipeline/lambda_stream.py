"""The stream in a function: event source mappings bring the batches, the log brings what is missing.

Batches of one partition come in order, but each to any instance of the function, more than once, and
not at all where its deliverer gave up. So an instance rests on two things: its own place in each
partition's log, and what the group has committed, which it asks for at every event.

- A partition that is new here is read from its mark on, as by :mod:`pipeline.kafka_stream`.
- Where others went on in the meantime, the log is read from the own place on: up to the committed
  offset that only brings the state there; what was left out after it is done now.
- What is finished already is left alone, however often it comes.

The instance assigns itself partitions and commits without being a member, so no group is formed:
Lambda's own group, which delivers, is another one. While a stream runs in the group, the broker
refuses these commits.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.errors import TransportError
from pipeline.kafka_progress import (
    BROKER_TIMEOUT_S,
    READ_BY_HAND,
    offset_with_mark,
    passes,
    patiently,
    progress_in_log,
)
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC
from pipeline.transport import PartitionAhead, PartitionChange, PartitionGiven, Record, RecordBatch

logger = logging.getLogger(__name__)

POLL_WAIT_S: Final = 0.1
"""How long a poll of the log waits for a full batch."""
COMMIT_EVERY_S: Final = 0.5
"""While a long gap is closed, what is done is committed so often: an instance that dies leaves little."""
_NOT_ALONE: Final = frozenset({KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION})
"""How the broker answers a commit from outside where the group has members."""


class _Finished(NamedTuple):
    """Where a partition stands in its group: what lies before is done."""

    committed: int
    mark: int | None = None


class LambdaStream:
    """A :class:`pipeline.transport.Transport` of one instance of a function; for one thread.

    Args:
        connection: the brokers.
        group: whose offsets say what is finished.
        prefix: put before the name of every topic.
    """

    def __init__(self, connection: KafkaConnection, *, group: str, prefix: str = "") -> None:
        self.topic = prefix + TELEMETRY_TOPIC
        self._group = group
        self._changes: list[PartitionChange] = []
        self._place: dict[int, int] = {}
        self._finished: dict[int, _Finished] = {}
        self._gaps: dict[int, int] = {}  # partitions that are read from the log, up to this offset
        self._delivered: dict[int, RecordBatch] = {}
        self._settled_s = time.monotonic()
        self._heard_s = time.monotonic()
        self._writer = KafkaWriter(connection, prefix=prefix)
        self._consumer = connection.open(
            Consumer,
            {
                **READ_BY_HAND,
                "group.id": group,
                # A cold start waits half of it until the group's coordinator is asked.
                "reconnect.backoff.ms": 50,
                "logger": logger,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the brokers; what is not settled is done again."""
        self._consumer.close()

    # -- an event -------------------------------------------------------------------------------

    def take(self, delivered: Mapping[int, RecordBatch]) -> None:
        """Begin with the batches of an event; :meth:`poll` gives what has to be done for them.

        Args:
            delivered: by partition, at least one record each, in the order of the log.

        Raises:
            TransportError: if the group's offsets or the log's ends cannot be had.
        """
        self._gaps, self._delivered = {}, {}
        if not delivered:
            return
        wanted = [TopicPartition(self.topic, number) for number in delivered]
        try:
            for found in patiently(lambda: self._consumer.committed(wanted, timeout=BROKER_TIMEOUT_S)):
                self._plan(found, delivered[found.partition])
        except KafkaException as error:
            raise TransportError(
                f"{self.topic}: how far group {self._group} is cannot be read ({error.args[0]})"
            ) from error
        self._consumer.assign(
            [TopicPartition(self.topic, number, self._place[number]) for number in self._gaps]
        )
        self._heard_s = time.monotonic()

    def _plan(self, committed: TopicPartition, batch: RecordBatch) -> None:
        """Decide what has to be read for a batch, and say what became of its partition."""
        number = committed.partition
        first, last = batch.offsets[0], batch.offsets[-1]
        if committed.offset > last:
            return  # all done, here or elsewhere
        place = self._place.get(number)
        if place is None or place < first or place != committed.offset:
            start, resume_at = progress_in_log(self._consumer, committed)
            if place is None or not start <= place <= resume_at:
                self._changes.append(PartitionGiven(number, resume_at))
                place = start
            elif place < resume_at:
                self._changes.append(PartitionAhead(number, resume_at))
            self._finished[number] = _Finished(resume_at)
            self._place[number] = place
        if place < first:
            self._gaps[number] = first
            logger.info("partition %d: offsets %d to %d from the log", number, place, first - 1)
        self._delivered[number] = batch

    @property
    def behind(self) -> bool:
        """Whether records of the event are left to be polled."""
        return bool(self._gaps or self._delivered)

    def poll(self, max_records: int) -> RecordBatch:
        """The next records: first those that are missing before the event's, then these.

        Raises:
            TransportError: if the log cannot be read.
        """
        self._writer.serve()
        while self._gaps:
            if len(batch := self._from_log(max_records)):
                return batch
        return self._from_event(max_records)

    def _from_log(self, max_records: int) -> RecordBatch:
        try:
            messages = self._consumer.consume(max_records, POLL_WAIT_S)
        except KafkaException as error:
            raise TransportError(f"{self.topic}: cannot be read ({error.args[0]})") from error
        found = RecordBatch.of(record for message in messages if (record := self._missing(message)))
        if messages:
            self._heard_s = time.monotonic()
        elif time.monotonic() - self._heard_s > BROKER_TIMEOUT_S:
            raise TransportError(f"{self.topic}: nothing read from it for {BROKER_TIMEOUT_S:g} s; try again")
        if not self._gaps:
            self._consumer.unassign()
        return found

    def _missing(self, message: Message) -> Record | None:
        """A record of the log before the event's first; None for anything else."""
        if (problem := message.error()) is not None:
            if not passes(problem):
                raise TransportError(f"{self.topic}: cannot be read ({problem})")
            logger.warning("%s: %s", self.topic, problem)
            return None
        number, offset = message.partition() or 0, message.offset() or 0
        end = self._gaps.get(number)
        if end is None:
            return None
        if offset >= end - 1:
            del self._gaps[number]
        if offset >= end:
            self._place[number] = end
            return None
        self._place[number] = offset + 1
        key = (message.key() or b"").decode("utf-8", "surrogateescape")
        return Record(self.topic, number, offset, key, message.value() or b"", message.timestamp()[1])

    def _from_event(self, max_records: int) -> RecordBatch:
        """Delivered records that were not done yet."""
        found: list[Record] = []
        for number in list(self._delivered):
            batch = self._delivered.pop(number)
            new = [i for i, offset in enumerate(batch.offsets) if offset >= self._place[number]]
            taken = new[: max_records - len(found)]
            found += [batch[i] for i in taken]
            if taken:
                self._place[number] = batch.offsets[taken[-1]] + 1
            if len(taken) < len(new):
                self._delivered[number] = batch
                break
        return RecordBatch.of(found)

    def changes(self) -> Sequence[PartitionChange]:
        """What became of partitions since the last call, in order."""
        found, self._changes = self._changes, []
        return found

    # -- what comes of it -----------------------------------------------------------------------

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic; its offsets are committed once it is delivered.

        Raises:
            DeliveryError: if it cannot be taken, or an earlier one was not delivered.
        """
        self._writer.produce(topic, key, value)

    def produce_many(self, topic: str, keys: Sequence[str], values: Sequence[bytes]) -> None:
        """Append records to a topic, one for each pair of key and value, as :meth:`produce` does.

        Raises:
            DeliveryError: if one cannot be taken, or an earlier one was not delivered.
        """
        self._writer.produce_many(topic, keys, values)

    def commit(self, rebuild_from: Mapping[int, int] | None = None) -> None:
        """Everything polled so far is done; it is committed with the next :meth:`settle`, or in time.

        Args:
            rebuild_from: by partition, the offset from which the log rebuilds what is known now.

        Raises:
            DeliveryError: if something was not delivered; nothing is committed then.
            TransportError: if the broker does not take the offsets.
        """
        for number, mark in (rebuild_from or {}).items():
            self._finished[number] = self._finished[number]._replace(mark=mark)
        if time.monotonic() - self._settled_s > COMMIT_EVERY_S:
            self.settle()

    def settle(self) -> None:
        """Deliver what was produced and commit how far the polled records go.

        Raises:
            DeliveryError: if something was not delivered; nothing is committed then.
            TransportError: if the broker does not take the offsets.
        """
        self._writer.flush()
        self._settled_s = time.monotonic()
        ahead = {
            number: _Finished(self._place[number], found.mark)
            for number, found in self._finished.items()
            if self._place[number] > found.committed
        }
        if not ahead:
            return
        offsets = [
            offset_with_mark(self.topic, number, end, end if mark is None else mark)
            for number, (end, mark) in ahead.items()
        ]
        try:
            patiently(lambda: self._consumer.commit(offsets=offsets, asynchronous=False))
        except KafkaException as exception:
            raise TransportError(self._not_taken(exception.args[0])) from exception
        self._finished |= ahead

    def _not_taken(self, error: KafkaError) -> str:
        if error.code() in _NOT_ALONE:
            return (
                f"group {self._group}: offsets not committed, for a stream runs in it ({error}); "
                "stop that stream, or switch the event source off"
            )
        return f"{self.topic}: offsets not committed ({error})"
