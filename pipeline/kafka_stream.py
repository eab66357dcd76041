"""The scaled-out stream: one member of a Kafka consumer group, and what it writes back.

Order of a batch: polled → finished by the engine → everything produced is delivered → offsets
committed. Delivery goes on while the next batches are read and computed: offsets are committed
about twice a second, at a poll that finds nothing, and before partitions are given up. A process
that dies in between leaves what is not committed to be read again, by itself or by whoever is
given its partitions.

A commit carries, as its metadata, from which offset on the log rebuilds what was known at it
(``rebuild_from=…``). Whoever is given the partition starts there. Without that (a first start, or
offsets set by hand) it starts at the beginning of the log.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, cast

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
from pipeline.transport import PartitionGiven, PartitionTaken, RecordBatch

logger = logging.getLogger(__name__)

POLL_WAIT_S: Final = 0.1
"""How long a poll waits for a full batch; the most that a lone record waits."""
SESSION_TIMEOUT_S: Final = 10.0
"""After so long without a sign of life a member's partitions are given to others."""
COMMIT_EVERY_S: Final = 0.5
"""What a killed process had finished and not committed, another one does again: so much at most."""
_MOVED: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError._ASSIGNMENT_LOST,
    }
)
"""Commits that fail because the group is changing: whoever has the partition next does it again."""


class KafkaStream:
    """A :class:`pipeline.transport.Transport` on Kafka; for one thread.

    Args:
        connection: the brokers.
        group: the consumer group; its members share the partitions.
        prefix: put before the name of every topic.
        session_timeout_s: after so long without a sign of life this member's partitions move.
        poll_wait_s: how long :meth:`poll` waits for a full batch.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        group: str,
        prefix: str = "",
        session_timeout_s: float = SESSION_TIMEOUT_S,
        poll_wait_s: float = POLL_WAIT_S,
    ) -> None:
        self._topic = prefix + TELEMETRY_TOPIC
        self._poll_wait_s = poll_wait_s
        self._changes: list[PartitionGiven | PartitionTaken] = []
        self._done: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._marks: dict[int, int] = {}
        self._due: dict[int, TopicPartition] = {}
        self._closing = False
        self._settled_s = time.monotonic()
        self._writer = KafkaWriter(connection, prefix=prefix)
        self._consumer = connection.open(
            Consumer,
            {
                **READ_BY_HAND,
                "group.id": group,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": round(session_timeout_s * 1000),
                "logger": logger,
            },
        )
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_given, on_revoke=self._on_revoked, on_lost=self._on_taken
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the group at once, so that its other members go on; what is finished is committed first.

        Raises:
            DeliveryError: if something was not delivered; it is made again by whoever reads on.
        """
        try:
            self._settle()
        finally:
            self._closing = True
            self._due.clear()
            self._consumer.close()

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic; its offsets are committed once it is delivered.

        Raises:
            DeliveryError: if it cannot be taken, or an earlier one was not delivered.
        """
        self._settle_in_time()
        self._writer.produce(topic, key, value)

    def produce_many(self, topic: str, keys: Sequence[str], values: Sequence[bytes]) -> None:
        """Append records to a topic, one for each pair of key and value, as :meth:`produce` does.

        Raises:
            DeliveryError: if one cannot be taken, or an earlier one was not delivered.
        """
        self._settle_in_time()
        self._writer.produce_many(topic, keys, values)

    def poll(self, max_records: int) -> RecordBatch:
        """The next records of this member's partitions, at most ``max_records``.

        Raises:
            TransportError: if the topic or the group cannot be read.
        """
        self._writer.serve()
        try:
            messages = self._consumer.consume(max_records, self._poll_wait_s)
        except KafkaException as error:
            raise TransportError(f"{self._topic}: cannot be read ({error})") from error
        batch = self._records(messages)
        if not len(batch):
            self._settle()
        return batch

    def _records(self, messages: list[Message]) -> RecordBatch:
        done = self._done
        partitions = cast("list[int]", [message.partition() for message in messages])
        # By identity: librdkafka's errors cannot be compared with None.
        if [message for message in messages if message.error() is not None] or not {
            *partitions
        } <= done.keys():
            messages = [message for message in messages if self._is_ours(message)]
            partitions = cast("list[int]", [message.partition() for message in messages])
        offsets = cast("list[int]", [message.offset() for message in messages])
        # In the order of their offsets within each partition: the last one of each counts.
        done |= {number: offset + 1 for number, offset in dict(zip(partitions, offsets, strict=True)).items()}
        return RecordBatch(
            self._topic,
            partitions,
            offsets,
            lambda i: messages[i].key(),
            [message.value() or b"" for message in messages],
            [message.timestamp()[1] for message in messages],
        )

    def _is_ours(self, message: Message) -> bool:
        """False for an error, and for a record of a partition that was taken away while this poll went on."""
        if (problem := message.error()) is not None:
            self._judge(problem)
            return False
        return message.partition() in self._done

    def changes(self) -> list[PartitionGiven | PartitionTaken]:
        """Partitions given and taken since the last call, in order."""
        found, self._changes = self._changes, []
        return found

    def lag(self) -> dict[int, int]:
        """By partition, how many records lie between what was polled and the end of the log.

        As of the last fetch, without asking the broker; a partition that was not fetched yet is left out.
        """
        found = {}
        for number, end in self._done.items():
            place = TopicPartition(self._topic, number)
            _, high = self._consumer.get_watermark_offsets(place, cached=True)
            if high >= 0:
                found[number] = max(0, high - end)
        return found

    def commit(self, rebuild_from: Mapping[int, int] | None = None) -> None:
        """Commit everything polled so far as soon as what was produced for it is delivered.

        A commit that the group refuses because partitions are moving is left to whoever has them
        next: the batch is done again there, with the same results.

        Args:
            rebuild_from: by partition, the offset from which the log rebuilds what is known now.

        Raises:
            DeliveryError: if something was not delivered; nothing is committed then.
        """
        self._writer.serve()
        self._marks |= {number: mark for number, mark in (rebuild_from or {}).items() if number in self._done}
        ahead = {number: end for number, end in self._done.items() if end > self._committed[number]}
        self._due = {number: self._offset(number, end) for number, end in ahead.items()}

    def _settle_in_time(self) -> None:
        if time.monotonic() - self._settled_s > COMMIT_EVERY_S:
            self._settle()

    def _settle(self) -> None:
        """Deliver what was produced and commit the offsets that wait for it.

        Raises:
            DeliveryError: if something was not delivered; nothing is committed then.
            TransportError: if the broker does not take the offsets.
        """
        if not self._due:
            return
        self._writer.flush()
        self._settled_s = time.monotonic()
        due, self._due = self._due, {}
        if self._commit(list(due.values())):
            self._committed |= {number: place.offset for number, place in due.items()}

    def _offset(self, partition: int, end: int) -> TopicPartition:
        return offset_with_mark(self._topic, partition, end, self._marks.get(partition, end))

    def _commit(self, offsets: list[TopicPartition]) -> bool:
        try:
            patiently(lambda: self._consumer.commit(offsets=offsets, asynchronous=False))
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if error.code() not in _MOVED:
                raise TransportError(f"{self._topic}: offsets not committed ({error})") from exception
            logger.warning("offsets not committed, the group is changing (%s)", error)
            return False
        return True

    def _judge(self, error: KafkaError) -> None:
        """Go on after what passes by itself; say what does not."""
        if error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:
            raise TransportError(
                f"{self._topic}: there is no such topic; make it with `smartgrid topics create`"
            )
        if error.fatal() or not (passes(error) or error.code() == KafkaError._MAX_POLL_EXCEEDED):
            raise TransportError(f"{self._topic}: cannot be read ({error})")
        logger.warning("%s: %s", self._topic, error)

    # -- the group ------------------------------------------------------------------------------

    def _on_given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:
            return
        starts = []
        for found in patiently(lambda: consumer.committed(partitions, timeout=BROKER_TIMEOUT_S)):
            start, resume_at = progress_in_log(consumer, found)
            self._changes.append(PartitionGiven(found.partition, resume_at))
            self._done[found.partition] = start
            self._committed[found.partition] = resume_at
            self._marks.pop(found.partition, None)
            starts.append(TopicPartition(self._topic, found.partition, start))
            logger.info("partition %d: from offset %d, new from %d", found.partition, start, resume_at)
        consumer.incremental_assign(starts)

    def _on_revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._settle()
        self._on_taken(consumer, partitions)

    def _on_taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Nothing more is in flight: between two polls every batch is finished."""
        for taken in partitions:
            self._changes.append(PartitionTaken(taken.partition))
            for kept in (self._done, self._committed, self._marks, self._due):
                kept.pop(taken.partition, None)
        consumer.incremental_unassign(partitions)
