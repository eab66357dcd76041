"""Events as Lambda's documentation shows them for an MSK event source mapping."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from pipeline.transport import Record

HEADER = [{"trace": [97, 98, 99]}]


def msk_event(records: Iterable[Record]) -> dict[str, Any]:
    """An event of some records, as the function gets it: JSON, read."""
    by_partition: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        found = by_partition.setdefault(f"{record.topic}-{record.partition}", [])
        found.append(
            {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": record.written_ms,
                "timestampType": "LOG_APPEND_TIME",
                "key": _base64(record.key.encode("utf-8", "surrogateescape")),
                "value": _base64(record.value),
                "headers": HEADER,
            }
        )
    event = {
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:aws:kafka:eu-west-1:123456789012:cluster/grid/00000000-0000-0000-0000-0-s1",
        "bootstrapServers": "boot-00000000.c1.kafka-serverless.eu-west-1.amazonaws.com:9098",
        "records": by_partition,
    }
    read: dict[str, Any] = json.loads(json.dumps(event))
    return read


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
