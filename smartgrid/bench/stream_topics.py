"""Topics of one benchmark: filled once, read by many workers, deleted afterwards."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.errors import TransportError
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_topics import TOPICS, TopicPlan, create_topics
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC
from smartgrid.bench.stream_load import StreamLoad

PARTITIONS = 12
"""As ``smartgrid topics create`` makes them."""
_PLAN = TopicPlan(partitions=PARTITIONS, replication=1, retention=timedelta(hours=6))
_TIMEOUT_S = 30.0

Ends = dict[int, int]
"""By partition, where it ends."""


class BenchTopics:
    """The topics under one prefix, and the consumer groups that read them.

    Args:
        connection: the brokers.
        prefix: before each topic's name.
    """

    def __init__(self, connection: KafkaConnection, prefix: str) -> None:
        self.connection = connection
        self.prefix = prefix
        self._groups: list[str] = []

    def fill(self, load: StreamLoad, seconds: Sequence[int]) -> Ends:
        """Append turns to the telemetry topic; where its partitions end then.

        Args:
            load: makes the messages.
            seconds: of the turns.
        """
        writer = KafkaWriter(self.connection, prefix=self.prefix)
        for turn in load.turns(seconds):
            for key, message in zip(load.keys, turn, strict=True):
                writer.produce(TELEMETRY_TOPIC, key, message)
            writer.serve()
        writer.flush()
        return self.ends(TELEMETRY_TOPIC)

    def ends(self, topic: str) -> Ends:
        """Where each partition of a topic ends now."""
        with closing(self.consumer("ends")) as consumer:
            return {
                number: consumer.get_watermark_offsets(
                    TopicPartition(self.prefix + topic, number), timeout=_TIMEOUT_S
                )[1]
                for number in range(PARTITIONS)
            }

    def forecasts(self) -> int:
        """How many records the forecasts topic has had."""
        return sum(self.ends(FORECASTS_TOPIC).values())

    def group_at(self, ends: Ends) -> str:
        """A new consumer group that has finished everything before ``ends``."""
        group = f"{self.prefix}{uuid.uuid4().hex[:8]}"
        with closing(self.consumer(group)) as consumer:
            offsets = self.places(TELEMETRY_TOPIC, ends)
            consumer.commit(offsets=offsets, asynchronous=False)
        self._groups.append(group)
        return group

    def places(self, topic: str, ends: Ends) -> list[TopicPartition]:
        """Offsets of a topic, as Kafka's client takes them."""
        return [TopicPartition(self.prefix + topic, number, end) for number, end in ends.items()]

    def consumer(self, group: str) -> Consumer:
        """A consumer that commits nothing by itself."""
        more = {"group.id": group, "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        return self.connection.open(Consumer, more)

    def delete(self) -> None:
        """Delete the topics and the groups."""
        admin = self.connection.open(AdminClient, {})
        gone = [
            *admin.delete_topics([self.prefix + topic for topic in TOPICS]).values(),
            *(admin.delete_consumer_groups(self._groups).values() if self._groups else ()),
        ]
        for future in gone:
            future.result(_TIMEOUT_S)


@contextmanager
def bench_topics(connection: KafkaConnection) -> Iterator[BenchTopics]:
    """Topics with a prefix of their own, deleted at the end.

    Raises:
        TransportError: if the brokers do not answer, or refuse.
    """
    topics = BenchTopics(connection, f"bench-{uuid.uuid4().hex[:12]}.")
    create_topics(connection, _PLAN, prefix=topics.prefix)
    try:
        yield topics
    except KafkaException as error:
        raise TransportError(
            f"{topics.prefix}*: the benchmark's topics cannot be used ({error.args[0]})"
        ) from error
    finally:
        topics.delete()
