"""What the user is told where no broker listens; the port is bound and closed, so nothing answers."""

import socket
from datetime import timedelta

import pytest

from pipeline.errors import DeliveryError, TransportError
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_topics import TopicPlan, create_topics
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC


@pytest.fixture
def nobody() -> KafkaConnection:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return KafkaConnection(f"127.0.0.1:{probe.getsockname()[1]}")


def test_topics_that_cannot_be_made_name_the_brokers(
    nobody: KafkaConnection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.kafka_topics._CONNECT_S", 0.5)
    with pytest.raises(TransportError, match=f"{nobody.brokers}.*are the brokers up"):
        create_topics(nobody, TopicPlan(1, 1, timedelta(hours=1)))
    assert capfd.readouterr().err == ""


def test_records_that_nobody_takes_are_an_error_and_stay_one(nobody: KafkaConnection) -> None:
    writer = KafkaWriter(nobody, delivery_timeout_s=0.5)
    writer.produce(TELEMETRY_TOPIC, "area", b"x")
    with pytest.raises(DeliveryError):
        writer.flush()
    with pytest.raises(DeliveryError):
        writer.flush()
