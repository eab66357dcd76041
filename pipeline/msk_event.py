"""What Lambda's event source mapping delivers of a Kafka topic, as the batches that the engine takes."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

import msgspec

from pipeline.errors import EventError
from pipeline.transport import UNKNOWN_MS, Record, RecordBatch

SOURCES: Final = ("aws:kafka", "SelfManagedKafka")


class _EventRecord(msgspec.Struct):
    """A record: key and value come in base64, and are left out or null where there is none."""

    topic: str
    partition: int
    offset: int
    timestamp: int = UNKNOWN_MS
    key: bytes | None = None
    value: bytes | None = None


class _Event(msgspec.Struct, rename="camel"):
    event_source: str
    records: dict[str, list[_EventRecord]]


def batches_of(event: Mapping[str, Any], topic: str) -> dict[int, RecordBatch]:
    """By partition the records of an event, each offset once, in the order of the log.

    Args:
        event: as Lambda hands it over, JSON already read.
        topic: that the records have to be of.

    Raises:
        EventError: if it is no event of that topic. What a record holds is not looked at.
    """
    try:
        found = msgspec.convert(event, _Event)
    except msgspec.ValidationError as error:
        raise EventError(
            f"event: not one of a Kafka event source mapping ({error}); invoke the function by that alone"
        ) from error
    if found.event_source not in SOURCES:
        raise EventError(f"event.eventSource={found.event_source!r}: not one of {', '.join(SOURCES)}")
    by_place = {(record.partition, record.offset): record for record in chain(*found.records.values())}
    strangers = {record.topic for record in by_place.values()} - {topic}
    if strangers:
        raise EventError(
            f"event: records of {', '.join(sorted(strangers))}, not of {topic}; correct the mapping's Topics"
        )
    ordered: dict[int, list[Record]] = {}
    for partition, offset in sorted(by_place):
        ordered.setdefault(partition, []).append(_record(by_place[partition, offset]))
    return {partition: RecordBatch.of(records) for partition, records in ordered.items()}


def _record(found: _EventRecord) -> Record:
    key = (found.key or b"").decode("utf-8", "surrogateescape")
    return Record(found.topic, found.partition, found.offset, key, found.value or b"", found.timestamp)
