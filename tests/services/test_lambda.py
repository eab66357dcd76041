"""The function on a real broker: the stream's forecasts of the same log, bit for bit, in any delivery."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.engine import BatchReport, StreamEngine
from pipeline.errors import TransportError
from pipeline.influx_store import InfluxStore
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_topics import TOPICS, TopicPlan, create_topics
from pipeline.kafka_writer import KafkaWriter
from pipeline.memory_stream import MemoryStream
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC, encode_telemetry
from pipeline.model import ForecastModel
from pipeline.site_table import SiteTable
from pipeline.sqlite_store import SqliteStore
from pipeline.transport import Record
from smartgrid.aws.errors import OutOfTimeError
from smartgrid.aws.forecasting import MARGIN_MS, Forecasting
from smartgrid.settings import Settings
from tests.pipeline.msk_events import msk_event
from tests.services.test_kafka_to_influx import settings_of
from tests.services.test_recovery_on_kafka import SITES, START, pulses, send
from tests.services.topic_reader import TopicReader, until
from tests.services_influx.server import own_bucket

pytestmark = pytest.mark.service

NewInstance = Callable[[], Forecasting]
WholeStream = Callable[..., BatchReport]
POISON = (b"\x00\xff not JSON", b'{"site":"meter-1"}', b"{}", b"", b"\xfe" * 900_000)
SERVERLESS_TAKES = (
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
)
"""Of a topic's configuration, by the guide to MSK Serverless."""
ROUNDS = 36


class Time:
    """An invocation with time for so many more looks at the clock."""

    def __init__(self, looks: int = 1_000_000) -> None:
        self._looks = looks

    def get_remaining_time_in_millis(self) -> int:
        self._looks -= 1
        return MARGIN_MS if self._looks >= 0 else MARGIN_MS - 1


@pytest.fixture
def new_instance(
    kafka: KafkaConnection, topics: str, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewInstance]:
    """Makes cold instances, without a series store."""
    for name in [name for name in os.environ if name.startswith("SMARTGRID_INFLUX")]:
        monkeypatch.delenv(name)
    (tmp_path / "model").symlink_to(model_dir)
    settings = Settings(state=tmp_path, kafka=kafka.brokers)
    made: list[Forecasting] = []

    def make() -> Forecasting:
        made.append(Forecasting(settings, group=topics + "g", prefix=topics))
        return made[-1]

    yield make
    for instance in made:
        instance.close()


@pytest.fixture
def log(writer: KafkaWriter, reader: TopicReader) -> list[Record]:
    """What lies on the topic: pulses of twelve sites, with poison between them."""
    random = Random(4)
    sent = pulses(0, ROUNDS)
    for begin in range(0, len(sent), 60):
        send(writer, sent[begin : begin + 60])
        writer.produce(TELEMETRY_TOPIC, random.choice(["meter-1", "meter-7"]), random.choice(POISON))
    writer.flush()
    return recorded(reader)


def recorded(reader: TopicReader) -> list[Record]:
    return [
        Record(
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            (message.key() or b"").decode(),
            message.value() or b"",
            message.timestamp()[1],
        )
        for message in reader.messages(TELEMETRY_TOPIC)
    ]


def by_partition(log: list[Record]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for record in log:
        found.setdefault(record.partition, []).append(record)
    return found


def deliveries(log: list[Record], random: Random) -> Iterator[list[Record]]:
    """Batches of any size, of one or several partitions, each partition in order."""
    left = by_partition(log)
    while left:
        event: list[Record] = []
        for number in random.sample(sorted(left), random.randint(1, len(left))):
            size = random.choice([1, 5, 40, 80])
            event += left[number][:size]
            left[number] = left[number][size:]
            if not left[number]:
                del left[number]
        yield event


@pytest.fixture
def whole_stream(kafka: KafkaConnection, topics: str, model: ForecastModel) -> WholeStream:
    """Runs an uninterrupted stream on the same topics: in a group of its own, or in a given one."""

    def run(records: int, group: str = "stream") -> BatchReport:
        total = BatchReport()
        with KafkaStream(kafka, group=topics + group, prefix=topics) as stream:
            engine = StreamEngine(stream, None, model)

            def work() -> None:
                nonlocal total
                total += engine.run_once()

            until(lambda: total.polled >= records, work, "the whole log")
        return total

    return run


@pytest.mark.parametrize("seed", [0, 1])
def test_forecasts_are_the_streams_bit_for_bit_whoever_gets_which_batch_and_however_often(
    log: list[Record],
    reader: TopicReader,
    whole_stream: WholeStream,
    new_instance: NewInstance,
    seed: int,
) -> None:
    random, total = Random(seed), BatchReport()
    instances = [new_instance() for _ in range(3)]
    before: list[Record] = []
    for event in deliveries(log, random):
        if random.random() < 0.15:
            instances[random.randrange(3)] = new_instance()  # a cold one
        for delivered in [event, *random.choices([event, before], k=random.choice([0, 0, 1]))]:
            total += random.choice(instances)(msk_event(delivered), Time())
        before = event
    assert total.polled == len(log)
    assert total.rebuilt > 0
    made, letters = reader.values(FORECASTS_TOPIC), reader.letters()
    assert len(made) == total.forecasts == len(reader.forecasts())
    poison = {(record.partition, record.offset) for record in log if record.value in POISON}
    refused = [(letter.partition, letter.offset) for letter in letters]
    assert len(refused) == len({*refused}) == total.dead_letters
    assert poison <= {*refused}

    whole = whole_stream(len(log))
    assert (whole.forecasts, whole.dead_letters) == (total.forecasts, total.dead_letters)
    assert len(reader.values(FORECASTS_TOPIC)) == 2 * len(made)
    assert len(reader.forecasts()) == len(made)  # where it has one of both, they are the same bytes


def test_a_batch_that_is_delivered_twice_changes_nothing(
    log: list[Record], reader: TopicReader, new_instance: NewInstance
) -> None:
    first, second = new_instance(), new_instance()
    half = [record for part in by_partition(log).values() for record in part[: len(part) // 2]]
    done = first(msk_event(half), Time())
    ends = reader.ends(FORECASTS_TOPIC), reader.count("grid.telemetry.dlq")
    for instance in (first, second, new_instance()):
        assert instance(msk_event(half), Time()) == BatchReport()
    assert (reader.ends(FORECASTS_TOPIC), reader.count("grid.telemetry.dlq")) == ends
    rest = second(msk_event([record for record in log if record not in half]), Time())
    assert rest.polled + done.polled == len(log)
    assert rest.rebuilt == len(half)


def test_records_that_no_instance_was_given_are_done_before_the_next_batch(
    log: list[Record], reader: TopicReader, whole_stream: WholeStream, new_instance: NewInstance
) -> None:
    cold, warm = new_instance(), new_instance()
    total = BatchReport()
    for number, records in by_partition(log).items():
        begin, end = len(records) // 3, 2 * len(records) // 3
        instance = warm if number % 2 else cold
        if instance is warm:
            total += warm(msk_event(records[:begin]), Time())
        total += instance(msk_event(records[end:]), Time())  # what lay before never came
    assert total.polled == len(log)
    whole_stream(len(log))
    assert len(reader.values(FORECASTS_TOPIC)) == 2 * len(reader.forecasts()) == 2 * total.forecasts


def test_an_instance_that_dies_between_delivery_and_commit_is_made_good_by_the_next_with_equal_results(
    log: list[Record],
    reader: TopicReader,
    whole_stream: WholeStream,
    new_instance: NewInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random, survivor = Random(9), new_instance()
    for i, event in enumerate(deliveries(log, random)):
        if i % 3:
            survivor(msk_event(event), Time())
            continue
        dying = new_instance()
        with monkeypatch.context() as patch, pytest.raises(TransportError):
            patch.setattr("pipeline.lambda_stream.patiently", _refusing_commits())
            dying(msk_event(event), Time())
        survivor(msk_event(event), Time())
    whole_stream(len(log))
    assert len(reader.values(FORECASTS_TOPIC)) > 2 * len(reader.forecasts())
    assert {letter.offset for letter in reader.letters() if letter.original in POISON}


def _refusing_commits() -> Callable[[Callable[[], object]], object]:
    """The broker answers what is asked, and takes no commit."""

    def ask(question: Callable[[], object]) -> object:
        if "commit" in question.__code__.co_names and "committed" not in question.__code__.co_names:
            raise TransportError("killed")
        return question()

    return ask


def test_an_instance_whose_invocation_failed_forgets_what_it_took_and_does_it_again(
    log: list[Record],
    reader: TopicReader,
    whole_stream: WholeStream,
    new_instance: NewInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = [record for part in by_partition(log).values() for record in part[: len(part) // 2]]
    rest = [record for record in log if record not in half]
    new_instance()(msk_event(half), Time())
    instance = new_instance()
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="in the rebuild"):
        patch.setattr(SiteTable, "accept", _failing("in the rebuild"))
        instance(msk_event(rest), Time())
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="undelivered"):
        patch.setattr(KafkaWriter, "flush", _failing("undelivered"))
        instance(msk_event(rest), Time())
    assert instance(msk_event(rest), Time()).polled == len(rest)
    whole = whole_stream(len(log))
    assert len(reader.forecasts()) == whole.forecasts


def _failing(how: str) -> Callable[..., None]:
    def fail(*_given: object) -> None:
        raise RuntimeError(how)

    return fail


def test_an_invocation_that_runs_out_of_time_is_gone_on_with_where_it_stopped(
    log: list[Record], new_instance: NewInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.engine.BATCH_RECORDS", 50)
    monkeypatch.setattr(StreamEngine.run_once, "__defaults__", (50,))
    instance, late = new_instance(), 0
    while late < len(log):
        try:
            last = instance(msk_event(log), Time(looks=3))
            break
        except OutOfTimeError:
            late += 1
    assert late == (len(log) - 1) // 150  # three batches of 50 each time
    assert 0 < last.polled <= 150
    assert new_instance()(msk_event(log), Time()) == BatchReport()


def test_while_a_stream_runs_in_the_group_the_function_fails_and_says_which(
    kafka: KafkaConnection, topics: str, log: list[Record], new_instance: NewInstance
) -> None:
    with KafkaStream(kafka, group=topics + "g", prefix=topics) as stream:
        until(lambda: bool(stream.changes()), lambda: stream.poll(1), "a partition")
        with pytest.raises(TransportError, match="a stream runs in it"):
            new_instance()(msk_event(log[:5]), Time())


def test_a_stream_goes_on_where_the_function_stopped_and_the_function_where_the_stream_did(
    log: list[Record], reader: TopicReader, whole_stream: WholeStream, new_instance: NewInstance
) -> None:
    half = [record for part in by_partition(log).values() for record in part[: len(part) // 2]]
    first = new_instance()(msk_event(half), Time())
    rest = whole_stream(len(log) - first.polled, group="g")
    assert new_instance()(msk_event(log), Time()) == BatchReport()
    whole = whole_stream(len(log))
    assert whole.forecasts == first.forecasts + rest.forecasts == len(reader.forecasts())


def test_offsets_set_back_by_hand_are_obeyed(
    kafka: KafkaConnection, topics: str, log: list[Record], new_instance: NewInstance
) -> None:
    instance = new_instance()
    instance(msk_event(log), Time())
    consumer = Consumer({**kafka.config(), "group.id": topics + "g"})
    parts = by_partition(log)
    places = [
        TopicPartition(topics + TELEMETRY_TOPIC, number, len(part) - 5) for number, part in parts.items()
    ]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()
    again = instance(msk_event([record for part in parts.values() for record in part[-1:]]), Time())
    assert again.polled == 5 * len(parts)
    assert again.rebuilt == len(log) - again.polled


def test_topics_are_made_without_a_word_on_copies_where_the_cluster_makes_its_own(
    kafka: KafkaConnection, prefix: str
) -> None:
    plan = TopicPlan(partitions=2, replication=0, retention=timedelta(days=1))
    assert not [name for topic in TOPICS for name in plan.config(topic) if name not in SERVERLESS_TAKES]
    assert {found.state for found in create_topics(kafka, plan, prefix=prefix)} == {"created"}
    assert {found.state for found in create_topics(kafka, plan, prefix=prefix)} == {"exists"}


def test_instances_that_take_turns_leave_in_influxdb_what_one_stream_leaves(
    kafka: KafkaConnection, topics: str, log: list[Record], model: ForecastModel, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    memory, random, found = MemoryStream(), Random(2), []
    for record in log:
        memory.produce(TELEMETRY_TOPIC, record.key, record.value)
    with own_bucket() as target, SqliteStore(tmp_path / "telemetry.db") as whole:
        StreamEngine(memory, whole, model).drain()
        settings = settings_of(target, tmp_path).model_copy(update={"kafka": kafka.brokers})
        instances = [Forecasting(settings, group=topics + "i", prefix=topics) for _ in range(2)]
        for event in deliveries(log, random):
            random.choice(instances)(msk_event(event), Time())
        for instance in instances:
            instance.close()
        with InfluxStore(target) as store:
            for read in (whole, store):
                spans = [(site, START, START + timedelta(days=2)) for site in SITES]
                found.append([(read.telemetry(*span), read.forecasts(*span)) for span in spans])
    assert found[0] == found[1]
    assert any(forecasts for _, forecasts in found[0])


def test_an_offset_that_a_transaction_took_is_no_missing_record(
    kafka: KafkaConnection, topics: str, reader: TopicReader, new_instance: NewInstance
) -> None:
    producer = Producer({**kafka.config(), "transactional.id": topics + "t"})
    producer.init_transactions(30)
    for pulse in pulses(0, 1)[:2]:
        producer.begin_transaction()
        producer.produce(topics + TELEMETRY_TOPIC, encode_telemetry(pulse), pulse.site, partition=0)
        producer.commit_transaction(30)
    first, last = recorded(reader)
    assert (first.offset, last.offset) == (0, 2)
    assert new_instance()(msk_event([last]), Time()).polled == 2
    assert new_instance()(msk_event([first, last]), Time()) == BatchReport()
