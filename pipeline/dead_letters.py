"""The dead-letter topic, read back: what could not be used, and its way back to the stream.

A letter may be written twice when a batch is done again; it is one letter all the same, known by
where its original stands.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from heapq import nlargest

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from pipeline.errors import TransportError
from pipeline.kafka_settings import LARGEST_MESSAGE_BYTES, KafkaConnection
from pipeline.messages import DEAD_LETTER_TOPIC, TELEMETRY_TOPIC, DeadLetterMessage

logger = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
_IDLE_S = 0.1
_BATCH = 1000
_LETTER = msgspec.json.Decoder(DeadLetterMessage)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, and where it stands itself.

    Attributes:
        partition, offset: of the letter on the dead-letter topic.
        written_ms: when it was written, in ms since 1970.
        key: of the original record.
        message: reason, detail, place and bytes of the original.
    """

    partition: int
    offset: int
    written_ms: int
    key: bytes | None
    message: DeadLetterMessage


def newest_letters(connection: KafkaConnection, limit: int, *, prefix: str = "") -> list[Letter]:
    """The newest letters, at most ``limit``, oldest first.

    Raises:
        TransportError: if the topic cannot be read.
    """
    with closing(_reader(connection, prefix + "dlq-show")) as consumer:
        newest = nlargest(limit, _letters(consumer, prefix), key=_age_order)
    return newest[::-1]


def _age_order(letter: Letter) -> tuple[int, int, int]:
    return letter.written_ms, letter.partition, letter.offset


def replay(connection: KafkaConnection, *, reason: str | None = None, prefix: str = "") -> dict[str, int]:
    """Put the originals back on the telemetry topic, each letter once and for all.

    The record of what was put back is a committed offset for each reason, written in the same
    transaction as the originals.

    Args:
        connection: the brokers.
        reason: only letters with this one; all where None.
        prefix: before the topics' names.

    Returns:
        How many were put back, by reason.

    Raises:
        TransportError: if a topic cannot be read or written; what was not committed is not replayed.
    """
    with closing(_reader(connection, prefix + "dlq-show")) as consumer:
        reasons = sorted({letter.message.reason for letter in _letters(consumer, prefix)})
    return {found: _replay_reason(connection, found, prefix) for found in reasons if reason in {None, found}}


def _replay_reason(connection: KafkaConnection, reason: str, prefix: str) -> int:
    name = f"{prefix}dlq-replay-{reason}"
    producer = connection.open(
        Producer,
        {
            # One replay of a reason at a time: a second one fences the first off.
            "transactional.id": name,
            "message.max.bytes": LARGEST_MESSAGE_BYTES,
            "partitioner": "murmur2_random",
            "logger": logger,
        },
    )
    with closing(_reader(connection, name)) as consumer:
        try:
            producer.init_transactions(_TIMEOUT_S)
            return _put_back(producer, consumer, reason, prefix)
        except KafkaException as error:
            with suppress(KafkaException):
                producer.abort_transaction(_TIMEOUT_S)
            raise TransportError(
                f"{prefix}{TELEMETRY_TOPIC}: letters of reason {reason} were not put back ({error.args[0]})"
            ) from error


def _put_back(producer: Producer, consumer: Consumer, reason: str, prefix: str) -> int:
    """Produce what is not marked as put back, and mark it, in one transaction."""
    places = _partitions(consumer, prefix)
    done = {found.partition: found.offset for found in consumer.committed(places, timeout=_TIMEOUT_S)}
    ends: dict[int, int] = {}
    count = 0
    producer.begin_transaction()
    for letter in _letters(consumer, prefix):
        if letter.message.reason == reason and letter.offset >= done[letter.partition]:
            while not _taken(producer, prefix + TELEMETRY_TOPIC, letter):
                producer.poll(_IDLE_S)
            ends[letter.partition] = letter.offset + 1
            count += 1
    offsets = [TopicPartition(prefix + DEAD_LETTER_TOPIC, number, end) for number, end in ends.items()]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _TIMEOUT_S)
    producer.commit_transaction(_TIMEOUT_S)
    return count


def _taken(producer: Producer, topic: str, letter: Letter) -> bool:
    try:
        producer.produce(topic, letter.message.original, letter.key)
    except BufferError:
        return False
    return True


def _reader(connection: KafkaConnection, group: str) -> Consumer:
    return connection.open(
        Consumer,
        {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": LARGEST_MESSAGE_BYTES,
            "fetch.wait.max.ms": 20,
            "logger": logger,
        },
    )


def _partitions(consumer: Consumer, prefix: str) -> list[TopicPartition]:
    topic = prefix + DEAD_LETTER_TOPIC
    try:
        found = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise TransportError(f"{topic}: cannot be read ({error.args[0]}); are the brokers up?") from error
    if found.error is not None:
        raise TransportError(
            f"{topic}: cannot be read ({found.error}); make it with `smartgrid topics create`"
        )
    return [TopicPartition(topic, number) for number in sorted(found.partitions)]


def _letters(consumer: Consumer, prefix: str) -> Iterator[Letter]:
    """Each letter once, those of one partition in order, up to where the topic ends now."""
    seen: set[tuple[str, int, int]] = set()
    for letter in _read(consumer, _partitions(consumer, prefix)):
        origin = (letter.message.topic, letter.message.partition, letter.message.offset)
        if origin not in seen:
            seen.add(origin)
            yield letter


def _read(consumer: Consumer, places: list[TopicPartition]) -> Iterator[Letter]:
    bounds = {place.partition: consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S) for place in places}
    left = {number: end for number, (low, end) in bounds.items() if low < end}
    topic = places[0].topic
    consumer.assign([TopicPartition(topic, number, bounds[number][0]) for number in left])
    give_up = time.monotonic() + _TIMEOUT_S
    while left:
        messages = consumer.consume(_BATCH, _IDLE_S)
        for message in messages:
            if (letter := _letter(message)) is not None and letter.offset < bounds[letter.partition][1]:
                yield letter
        if messages:
            give_up = time.monotonic() + _TIMEOUT_S
            reached = consumer.position([TopicPartition(topic, number) for number in left])
            left = {
                place.partition: bounds[place.partition][1]
                for place in reached
                if place.offset < bounds[place.partition][1]
            }
        elif time.monotonic() > give_up:
            raise TransportError(f"{topic}: nothing came for {_TIMEOUT_S:g} s; are the brokers up?")
    consumer.unassign()


def _letter(message: Message) -> Letter | None:
    """The letter of a record; None, and said so, for something else that somebody put there."""
    if (problem := message.error()) is not None:
        raise TransportError(f"{message.topic()}: cannot be read ({problem})")
    partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
    if partition is None or offset is None or not isinstance(value, bytes):
        return None
    try:
        decoded = _LETTER.decode(value)
    except msgspec.MsgspecError as error:
        logger.warning("%s[%d] offset %d is no dead letter (%s)", message.topic(), partition, offset, error)
        return None
    written_ms = message.timestamp()[1]
    return Letter(partition, offset, written_ms, key if isinstance(key, bytes) else None, decoded)
