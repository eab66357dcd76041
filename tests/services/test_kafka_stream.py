"""The Kafka transport on a real broker: nothing lost, nothing committed that is not delivered."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import Consumer, TopicPartition

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.errors import DeliveryError, TransportError
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_writer import KafkaWriter
from pipeline.memory_stream import MemoryStream
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC, encode_telemetry
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from pipeline.transport import Record
from tests.services.topic_reader import TopicReader, until

pytestmark = pytest.mark.service
START = datetime(2024, 5, 1, tzinfo=UTC)


def pulse(i: int, site: str = "area") -> Telemetry:
    return Telemetry(site, START + timedelta(minutes=5 * i), load_kw=700.0, net_load_kw=500.0 + i % 7)


def take(stream: KafkaStream, count: int) -> list[Record]:
    """Poll until so many records came."""
    records: list[Record] = []
    until(lambda: len(records) >= count, lambda: records.extend(stream.poll(1000)), f"{count} records")
    return records


def committed(kafka: KafkaConnection, group: str, prefix: str) -> int:
    consumer = Consumer({**kafka.config(), "group.id": group})
    places = [TopicPartition(prefix + TELEMETRY_TOPIC, number) for number in range(4)]
    found = consumer.committed(places, timeout=10)
    consumer.close()
    return sum(max(place.offset, 0) for place in found)


def test_what_is_produced_is_what_is_consumed_in_order_for_each_key(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str
) -> None:
    keys = ["area", "Straße-7", "b\udcff", ""]
    sent = {key: [bytes([i % 256]) * (i % 900) + b"." for i in range(500)] for key in keys}
    for i in range(500):
        for key, values in sent.items():
            writer.produce(TELEMETRY_TOPIC, key, values[i])
    writer.flush()
    with KafkaStream(kafka, group=topics + "g", prefix=topics) as stream:
        got = take(stream, 2000)
    assert len(got) == 2000
    for key in keys[:3]:
        records = [record for record in got if record.key == key]
        assert [record.value for record in records] == sent[key]
        assert len({record.partition for record in records}) == 1
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets))
    assert sorted(record.value for record in got if record.key == "") == sorted(sent[""])


def test_what_was_polled_and_not_committed_comes_again(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str
) -> None:
    for i in range(50):
        writer.produce(TELEMETRY_TOPIC, f"site-{i}", b"%d" % i)
    writer.flush()
    group = topics + "g"
    with KafkaStream(kafka, group=group, prefix=topics) as first:
        assert len(take(first, 50)) == 50
    assert committed(kafka, group, topics) == 0
    with KafkaStream(kafka, group=group, prefix=topics) as second:
        assert len(take(second, 50)) == 50
        second.commit()
    assert committed(kafka, group, topics) == 50
    writer.produce(TELEMETRY_TOPIC, "site-0", b"new")
    writer.flush()
    with KafkaStream(kafka, group=group, prefix=topics) as third:
        assert [record.value for record in take(third, 1)] == [b"new"]


def test_what_cannot_be_delivered_stops_the_commit(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str
) -> None:
    writer.produce(TELEMETRY_TOPIC, "area", b"x")
    writer.flush()
    stream = KafkaStream(kafka, group=topics + "g", prefix=topics)
    take(stream, 1)
    too_large = Random(1).randbytes(1_500_000)  # for the topic, also when it is compressed
    stream.produce(FORECASTS_TOPIC, "area", too_large)
    for _ in range(2):  # also when somebody goes on all the same
        with pytest.raises(DeliveryError, match="Kafka did not take a record"):
            while True:
                stream.commit()
                stream.poll(1)
    with pytest.raises(DeliveryError, match="Kafka did not take a record"):
        stream.close()
    assert committed(kafka, topics + "g", topics) == 0


def test_a_topic_that_is_not_there_is_said_with_the_command_that_makes_it(
    kafka: KafkaConnection, prefix: str
) -> None:
    with (
        KafkaStream(kafka, group=prefix + "g", prefix=prefix) as stream,
        pytest.raises(TransportError, match="smartgrid topics create"),
    ):
        take(stream, 1)


def test_offsets_set_by_hand_are_obeyed_and_the_state_is_rebuilt_from_the_logs_beginning(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str, model: ForecastModel, tmp_path: Path
) -> None:
    for i in range(40):
        writer.produce(TELEMETRY_TOPIC, "area", encode_telemetry(pulse(i)))
    writer.flush()
    group = topics + "g"
    consumer = Consumer({**kafka.config(), "group.id": group})
    for number in range(4):
        _, high = consumer.get_watermark_offsets(TopicPartition(topics + TELEMETRY_TOPIC, number), timeout=10)
        place = TopicPartition(topics + TELEMETRY_TOPIC, number, max(high - 10, 0))
        consumer.commit(offsets=[place], asynchronous=False)
    consumer.close()
    rebuilt = polled = 0
    with (
        SqliteStore(tmp_path / "telemetry.db") as store,
        KafkaStream(kafka, group=group, prefix=topics) as stream,
    ):
        engine = StreamEngine(stream, store, model)

        def work() -> None:
            nonlocal rebuilt, polled
            report = engine.run_once()
            rebuilt, polled = rebuilt + report.rebuilt, polled + report.polled

        until(lambda: polled >= 10, work, "ten forecasts")
        assert (rebuilt, polled) == (30, 10)
        assert len(store.forecasts("area", START, START + timedelta(days=1))) == 10


BAD = {
    "undecodable": b"\x00\xff not JSON",
    "schema": b'{"site":"area","ts_utc":"2024-05-01T00:00:00Z","load_mw":1}',
    "non_finite": b'{"site":"area","ts_utc":"2024-05-01T00:00:00Z","load_kw":NaN}',
    "out_of_range": b'{"site":"area","ts_utc":"2024-05-01T00:00:00Z","load_kw":1e300}',
    "naive_time": b'{"site":"area","ts_utc":"2024-05-01T00:00:00","load_kw":1}',
    "conflict": b'{"site":"area","ts_utc":"2024-05-01T04:00:00Z","net_load_kw":-1.0}',
    "too_late": b'{"site":"area","ts_utc":"2024-04-01T00:00:00Z","net_load_kw":1.0}',
}


def test_every_kind_of_bad_message_becomes_a_dead_letter_and_the_stream_goes_on(
    kafka: KafkaConnection, reader: TopicReader, topics: str, model: ForecastModel, tmp_path: Path
) -> None:
    writer = KafkaWriter(kafka, prefix=topics)
    huge = b"\xfe" * 1_000_000  # its letter, in base64, is larger than a broker's default
    for i in range(50):
        writer.produce(TELEMETRY_TOPIC, "area", encode_telemetry(pulse(i)))
    for value in (*BAD.values(), huge):
        writer.produce(TELEMETRY_TOPIC, "area", value)
    writer.produce(TELEMETRY_TOPIC, "area", encode_telemetry(pulse(50)))
    writer.flush()
    handled = 0
    with (
        SqliteStore(tmp_path / "telemetry.db") as store,
        KafkaStream(kafka, group=topics + "g", prefix=topics) as stream,
    ):
        engine = StreamEngine(stream, store, model)

        def work() -> None:
            nonlocal handled
            handled += engine.run_once().polled

        until(lambda: handled >= 59, work, "all records")
        assert len(store.telemetry("area", START, START + timedelta(days=1))) == 51
    wanted = [
        *((reason, 50 + i, value) for i, (reason, value) in enumerate(BAD.items())),
        ("undecodable", 57, huge),
    ]
    got = reader.letters()
    assert sorted((letter.reason, letter.offset, letter.original) for letter in got) == sorted(wanted)
    assert {letter.topic for letter in got} == {topics + TELEMETRY_TOPIC}
    assert all(letter.detail for letter in got)
    assert len(reader.forecasts()) == 51


def test_the_embedded_stream_and_kafka_keep_the_same_order_of_one_key(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str
) -> None:
    memory = MemoryStream()
    for transport in (memory, writer):
        for i in range(20):
            transport.produce(TELEMETRY_TOPIC, "area", b"%d" % i)
    writer.flush()
    with KafkaStream(kafka, group=topics + "g", prefix=topics) as stream:
        ours = [(record.offset, record.key, record.value) for record in take(stream, 20)]
    assert ours == [(record.offset, record.key, record.value) for record in memory.poll(100)]
