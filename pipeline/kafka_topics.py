"""The topics of the stream: made once, never changed behind anybody's back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AdminClient,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    PartitionMetadata,
    ResourceType,
)

from pipeline.errors import TransportError
from pipeline.kafka_progress import Answer, patiently
from pipeline.kafka_settings import LARGEST_MESSAGE_BYTES, KafkaConnection
from pipeline.messages import DEAD_LETTER_TOPIC, FORECASTS_TOPIC, TELEMETRY_TOPIC

TOPICS = (TELEMETRY_TOPIC, FORECASTS_TOPIC, DEAD_LETTER_TOPIC)
_CONNECT_S = 10.0
_TIMEOUT_S = 30.0
_KNOWN_WITHIN_S = 10.0
_ASK_AGAIN_S = 0.1
_ONLY_CRITICAL = 2
_REPLICAS_FOR_A_SPARE = 3
_THE_CLUSTERS = -1
"""Kafka's way to ask for as many copies as a cluster makes by itself."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How topics are to be.

    Attributes:
        partitions: of each topic; at most so many processes share the stream.
        replication: copies of each partition; 0 leaves them to the cluster, as MSK Serverless asks.
        retention: how long records stay. A site's state is rebuilt from what is still there.
    """

    partitions: int
    replication: int
    retention: timedelta

    def config(self, topic: str) -> dict[str, str]:
        """The topic's configuration, as Kafka names it."""
        settings = {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention // timedelta(milliseconds=1)),
        }
        if self.replication:
            # With three copies one may be away; with fewer, waiting for two would stop the stream.
            settings["min.insync.replicas"] = "2" if self.replication >= _REPLICAS_FOR_A_SPARE else "1"
        if topic == TELEMETRY_TOPIC:
            # The broker's clock judges whether a meter's time lies in the future.
            settings["message.timestamp.type"] = "LogAppendTime"
        if topic == DEAD_LETTER_TOPIC:
            settings["max.message.bytes"] = str(LARGEST_MESSAGE_BYTES)
        return settings


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """A topic after :func:`create_topics`.

    Attributes:
        topic: its full name.
        state: ``created``, ``exists`` as planned, or ``differs`` from the plan and was left alone.
        differences: such as ``partitions: 3, not 6``.
    """

    topic: str
    state: Literal["created", "exists", "differs"]
    differences: tuple[str, ...] = ()


def create_topics(connection: KafkaConnection, plan: TopicPlan, *, prefix: str = "") -> list[TopicFinding]:
    """Make the topics that do not exist yet; say what the others look like.

    Args:
        connection: the brokers.
        plan: how they are to be.
        prefix: put before each name.

    Raises:
        TransportError: if the brokers do not answer, or refuse.
    """
    # Its own log would repeat each failed attempt to connect; the error below says it once.
    admin = connection.open(AdminClient, {"log_level": _ONLY_CRITICAL})
    wanted = {prefix + topic: plan.config(topic) for topic in TOPICS}
    try:
        admin.list_topics(timeout=_CONNECT_S)
        created = {name for name, config in wanted.items() if _create(admin, name, plan, config)}
        return [
            TopicFinding(name, "created") if name in created else _compare(admin, name, plan, config)
            for name, config in wanted.items()
        ]
    except KafkaException as error:
        raise TransportError(
            f"topics cannot be made at {connection.brokers} ({error.args[0]}); are the brokers up?"
        ) from error


def require_topics(connection: KafkaConnection, *, prefix: str = "") -> None:
    """Make sure that the topics are there before a role depends on them.

    Raises:
        TransportError: if one is missing, or the brokers do not answer.
    """
    admin = connection.open(AdminClient, {"log_level": _ONLY_CRITICAL})
    try:
        known = admin.list_topics(timeout=_CONNECT_S).topics
    except KafkaException as error:
        raise TransportError(
            f"kafka={connection.brokers}: no answer ({error.args[0]}); are the brokers up?"
        ) from error
    missing = [name for topic in TOPICS if (name := prefix + topic) not in known]
    if missing:
        raise TransportError(
            f"kafka={connection.brokers}: no topic {', '.join(missing)}; make it: smartgrid topics create"
        )


def _create(admin: AdminClient, name: str, plan: TopicPlan, config: dict[str, str]) -> bool:
    """True if it was made, False if it was there."""
    asked = NewTopic(name, plan.partitions, plan.replication or _THE_CLUSTERS, config=config)
    future = admin.create_topics([asked], operation_timeout=_TIMEOUT_S, request_timeout=_TIMEOUT_S)[name]
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def _compare(admin: AdminClient, name: str, plan: TopicPlan, config: dict[str, str]) -> TopicFinding:
    partitions = _once_known(partial(_partitions, admin, name))
    entries = _once_known(partial(_entries, admin, name))
    copies = min(len(found.replicas) for found in partitions.values())
    compared: list[tuple[str, object, object]] = [
        ("partitions", len(partitions), plan.partitions),
        ("replication", copies, plan.replication or copies),
        *((key, entries[key].value, value) for key, value in config.items()),
    ]
    differences = tuple(f"{key}: {found}, not {value}" for key, found, value in compared if found != value)
    return TopicFinding(name, "differs" if differences else "exists", differences)


def _partitions(admin: AdminClient, name: str) -> dict[int, PartitionMetadata]:
    found = admin.list_topics(name, timeout=_TIMEOUT_S).topics[name]
    if found.error is not None:
        raise KafkaException(found.error)
    return found.partitions


def _entries(admin: AdminClient, name: str) -> dict[str, ConfigEntry]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    found: dict[str, ConfigEntry] = admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[
        resource
    ].result()
    return found


def _once_known(ask: Callable[[], Answer]) -> Answer:
    """Ask for a topic that is there; one that was made this moment is not known everywhere yet."""
    return patiently(ask, _unknown, within_s=_KNOWN_WITHIN_S, every_s=_ASK_AGAIN_S)


def _unknown(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART)
