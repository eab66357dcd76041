"""Bytes of a record: as it is written, and as it crosses the network and lies in the broker's log."""

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer

from smartgrid.bench.stream_topics import BenchTopics
from smartgrid.bench.stream_worker import BenchError

_MOST_READ: Final = 10_000
_WAIT_S: Final = 1.0
_STATISTICS_MS: Final = 200


@dataclass(frozen=True, slots=True)
class WireBytes:
    """Mean bytes of a record.

    Attributes:
        payload: key and value.
        wire: in compressed batches with all of the protocol; a broker stores batches as they come.
    """

    payload: float
    wire: float


def wire_bytes(topics: BenchTopics, topic: str) -> WireBytes:
    """Read one partition of a topic from its beginning to its end, and ask the client what came.

    Raises:
        BenchError: if it is empty, or its end does not come.
    """
    told: list[dict[str, float]] = []
    more = {
        "group.id": topics.prefix + "wire",
        "enable.auto.commit": False,
        "statistics.interval.ms": _STATISTICS_MS,
        "stats_cb": lambda text: told.append(json.loads(text)),
    }
    number, records = max(topics.ends(topic).items(), key=lambda end: end[1])
    with closing(topics.connection.open(Consumer, more)) as consumer:
        consumer.assign(topics.places(topic, {number: 0}))
        payload = _read(consumer, records, topic)
        before = len(told)
        while len(told) == before:  # the newest statistics may be older than the last records
            consumer.poll(_WAIT_S)
        return WireBytes(payload / records, told[-1]["rx_bytes"] / records)


def _read(consumer: Consumer, records: int, topic: str) -> int:
    """Bytes of keys and values."""
    payload = read = 0
    while read < records or not records:
        messages = consumer.consume(_MOST_READ, _WAIT_S)
        if not messages:
            raise BenchError(f"{topic}: {read} of {records} records came; are the brokers up?")
        payload += sum(len(message.key() or b"") + len(message.value() or b"") for message in messages)
        read += len(messages)
    return payload
