"""What a topic holds now, and waits that end with a condition or fail."""

import time
from collections.abc import Callable, Sequence

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.kafka_settings import KafkaConnection
from pipeline.memory_stream import MemoryStream
from pipeline.messages import (
    DEAD_LETTER_TOPIC,
    FORECASTS_TOPIC,
    TELEMETRY_TOPIC,
    DeadLetterMessage,
    ForecastMessage,
)
from pipeline.model import ForecastModel
from pipeline.producer import publish
from pipeline.sqlite_store import SqliteStore

PATIENCE_S = 60.0
ONLY_CRITICAL = 2
"""Tests see from answers that a broker is away; its clients' own lines about it say nothing more."""
Forecasts = dict[tuple[str, str], bytes]


def until(condition: Callable[[], bool], meanwhile: Callable[[], object], what: str) -> None:
    """Repeat ``meanwhile`` until the condition holds; fails with ``what`` after a minute."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"waited {PATIENCE_S:g} s for {what}"
        meanwhile()


class TopicReader:
    """Reads topics from their beginning to their present end, in no consumer group."""

    def __init__(self, connection: KafkaConnection, prefix: str) -> None:
        self._prefix = prefix
        self._partitions: dict[str, list[int]] = {}
        self._consumer = Consumer(
            {
                **connection.config(),
                "group.id": prefix + "reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
                "log_level": ONLY_CRITICAL,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def ends(self, topic: str) -> dict[int, int]:
        """Where each partition ends now."""
        name = self._prefix + topic
        if topic not in self._partitions:
            self._partitions[topic] = [*self._consumer.list_topics(name, timeout=10).topics[name].partitions]
        return {
            number: self._consumer.get_watermark_offsets(TopicPartition(name, number), timeout=10)[1]
            for number in self._partitions[topic]
        }

    def count(self, topic: str) -> int:
        return sum(self.ends(topic).values())

    def messages(self, topic: str) -> list[Message]:
        """Everything on a topic, partition by partition."""
        numbers = sorted(self.ends(topic))
        self._consumer.assign([TopicPartition(self._prefix + topic, number, 0) for number in numbers])
        messages: list[Message] = []
        ended: set[int | None] = set()

        def read() -> None:
            for message in self._consumer.consume(1000, 0.1):
                if message.error() is None:
                    messages.append(message)
                else:
                    ended.add(message.partition())

        until(lambda: len(ended) == len(numbers), read, f"the end of {topic}")
        self._consumer.unassign()
        return sorted(messages, key=lambda message: (message.partition() or 0, message.offset() or 0))

    def values(self, topic: str) -> list[bytes]:
        return [value for message in self.messages(topic) if isinstance(value := message.value(), bytes)]

    def forecasts(self) -> Forecasts:
        """Forecasts by site and issue; what was issued more than once must be the same each time."""
        return idempotent(self.values(FORECASTS_TOPIC))

    def letters(self) -> list[DeadLetterMessage]:
        return [
            msgspec.json.decode(value, type=DeadLetterMessage) for value in self.values(DEAD_LETTER_TOPIC)
        ]

    def telemetry(self) -> list[bytes]:
        return self.values(TELEMETRY_TOPIC)


def idempotent(values: Sequence[bytes]) -> Forecasts:
    made: Forecasts = {}
    for value in values:
        message = msgspec.json.decode(value, type=ForecastMessage)
        assert made.setdefault((message.site, message.issued_at.isoformat()), value) == value
    return made


def offline(pulses: Sequence[Telemetry], model: ForecastModel, store: SqliteStore) -> Forecasts:
    """The forecasts of one uninterrupted run without any broker."""
    stream = MemoryStream()
    publish(stream, pulses)
    StreamEngine(stream, store, model).drain()
    return idempotent([record.value for record in stream.records(FORECASTS_TOPIC)])
