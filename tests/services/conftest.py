"""Real services, named by environment variables; topics of each test's own."""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_topics import TOPICS, TopicPlan, create_topics
from pipeline.kafka_writer import KafkaWriter
from pipeline.model import ForecastModel
from pipeline.training import train
from tests.pipeline.conftest import SITE_TZ, made_up_series
from tests.services.topic_reader import TopicReader

PLAN = TopicPlan(partitions=4, replication=1, retention=timedelta(hours=1))


@pytest.fixture(scope="session")
def kafka() -> KafkaConnection:
    """The brokers that ``SMARTGRID_KAFKA`` names."""
    brokers = os.environ.get("SMARTGRID_KAFKA")
    if not brokers:
        pytest.skip("SMARTGRID_KAFKA is not set")
    return KafkaConnection(brokers)


@pytest.fixture
def prefix(kafka: KafkaConnection) -> Iterator[str]:
    """A prefix that no other test has, without topics yet; they are deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}."
    yield name
    admin = AdminClient(kafka.config())
    found = [name + topic for topic in TOPICS if name + topic in admin.list_topics(timeout=10).topics]
    for future in admin.delete_topics(found).values() if found else ():
        future.result()


@pytest.fixture
def topics(kafka: KafkaConnection, prefix: str) -> str:
    """The same prefix, with its topics made."""
    create_topics(kafka, PLAN, prefix=prefix)
    return prefix


@pytest.fixture
def writer(kafka: KafkaConnection, topics: str) -> KafkaWriter:
    return KafkaWriter(kafka, prefix=topics)


@pytest.fixture
def reader(kafka: KafkaConnection, topics: str) -> Iterator[TopicReader]:
    with closing(TopicReader(kafka, topics)) as found:
        yield found


@pytest.fixture(scope="session")
def model() -> ForecastModel:
    """A small model at five minutes."""
    return train(made_up_series(), cadence_s=300.0, site_tz=SITE_TZ, trees=10)


@pytest.fixture(scope="session")
def model_dir(model: ForecastModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on disk."""
    directory = tmp_path_factory.mktemp("model")
    model.save(directory)
    return directory
