"""Events of an MSK event source mapping, read."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import EventError
from pipeline.msk_event import batches_of
from pipeline.transport import Record
from tests.pipeline.msk_events import msk_event

TOPIC = "grid.telemetry"

DOCUMENTED = {
    "eventSource": "aws:kafka",
    "eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-2",
    "bootstrapServers": "b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092",
    "records": {
        "grid.telemetry-0": [
            {
                "topic": "grid.telemetry",
                "partition": 0,
                "offset": 15,
                "timestamp": 1545084650987,
                "timestampType": "CREATE_TIME",
                "key": "cmVjb3JkS2V5",
                "value": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
                "headers": [{"headerKey": [104, 101, 97, 100, 101, 114]}],
            }
        ]
    },
}
"""The shape of the Lambda Developer Guide's example."""


def test_the_documented_event_is_read() -> None:
    (batch,) = batches_of(DOCUMENTED, TOPIC).values()
    assert [*batch] == [Record(TOPIC, 0, 15, "recordKey", b"Hello, this is a test.", 1545084650987)]


records = st.builds(
    Record,
    st.just(TOPIC),
    st.integers(0, 3),
    st.integers(0, 40),
    st.binary(max_size=6).map(lambda key: key.decode("utf-8", "surrogateescape")),
    st.binary(max_size=12),
    st.integers(0, 2**41),
)


@given(st.lists(records, max_size=30, unique_by=lambda record: record[1:3]), st.randoms())
def test_any_records_come_out_as_they_went_in_by_partition_in_the_order_of_the_log(
    sent: list[Record], random: Random
) -> None:
    shuffled = random.sample(sent, len(sent))
    found = batches_of(msk_event(shuffled), TOPIC)
    assert {number: [*batch] for number, batch in found.items()} == {
        number: sorted((r for r in sent if r.partition == number), key=lambda r: r.offset)
        for number in {record.partition for record in sent}
    }


def test_a_record_without_key_and_value_is_a_record() -> None:
    event = msk_event([Record(TOPIC, 0, 1, "", b"", 5), Record(TOPIC, 0, 2, "", b"", 5)])
    event["records"]["grid.telemetry-0"][0] |= {"key": None, "value": None}
    del event["records"]["grid.telemetry-0"][1]["key"], event["records"]["grid.telemetry-0"][1]["value"]
    assert [(r.key, r.value) for r in batches_of(event, TOPIC)[0]] == [("", b"")] * 2


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "eventSource"),
        ({"eventSource": "aws:kinesis", "records": {}}, "aws:kinesis"),
        ({"eventSource": "aws:kafka", "records": [1]}, "records"),
        (msk_event([Record("other", 0, 1, "", b"", 5)]), "of other, not of grid.telemetry"),
        (DOCUMENTED | {"records": {"t-0": [{"topic": TOPIC, "partition": 0}]}}, "offset"),
    ],
)
def test_what_is_no_event_of_the_topic_is_refused_by_name(event: dict[str, Any], said: str) -> None:
    with pytest.raises(EventError, match=said):
        batches_of(event, TOPIC)
