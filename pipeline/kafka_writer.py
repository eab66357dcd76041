"""Writes records to Kafka: idempotent, keyed, and never silent about what was not delivered."""

import logging
import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.errors import DeliveryError
from pipeline.kafka_settings import LARGEST_MESSAGE_BYTES, KafkaConnection

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_S = 120.0
"""How long a record is tried to be delivered, a restart of the broker included."""
_ROOM_WAIT_S = 0.1


class KafkaWriter:
    """An idempotent producer that waits for all in-sync replicas.

    Args:
        connection: the brokers.
        prefix: put before the name of every topic.
        delivery_timeout_s: how long a record is tried to be delivered.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        prefix: str = "",
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
    ) -> None:
        self._prefix = prefix
        self._timeout_s = delivery_timeout_s
        self._failed: KafkaError | None = None
        self._producer = connection.open(
            Producer,
            {
                "enable.idempotence": True,
                "delivery.report.only.error": True,
                "on_delivery": self._note,
                "delivery.timeout.ms": round(delivery_timeout_s * 1000),
                "compression.type": "lz4",
                "linger.ms": 5,
                "message.max.bytes": LARGEST_MESSAGE_BYTES,
                # As Java's clients do it, so that a site has one partition whoever produces.
                "partitioner": "murmur2_random",
                "logger": logger,
            },
        )

    def produce(self, topic: str, key: str, value: bytes) -> None:
        """Append a record to a topic; it is sent in the background, :meth:`flush` waits for it.

        Raises:
            DeliveryError: if it cannot be taken, or an earlier one was not delivered.
        """
        self._raise_failed()
        place, key_bytes = self._prefix + topic, key.encode("utf-8", "surrogateescape") or None
        try:
            try:
                self._producer.produce(place, value, key_bytes)
            except BufferError:
                self._produce_once_there_is_room(place, value, key_bytes)
        except KafkaException as error:
            raise DeliveryError(f"{place}: a record was refused ({error.args[0]})") from error

    def produce_many(self, topic: str, keys: Sequence[str], values: Sequence[bytes]) -> None:
        """Append records to a topic, one for each pair of key and value; as :meth:`produce` does it.

        Raises:
            DeliveryError: if one cannot be taken, or an earlier one was not delivered.
        """
        self._raise_failed()
        place, produce = self._prefix + topic, self._producer.produce
        for i, (key, value) in enumerate(zip(keys, values, strict=True)):
            try:
                produce(place, value, key)
            except (BufferError, KafkaException, UnicodeEncodeError):
                for left_key, left_value in zip(keys[i:], values[i:], strict=True):
                    self.produce(topic, left_key, left_value)
                return

    def _produce_once_there_is_room(self, place: str, value: bytes, key: bytes | None) -> None:
        give_up = time.monotonic() + self._timeout_s
        while time.monotonic() < give_up:
            self._producer.poll(_ROOM_WAIT_S)
            self._raise_failed()
            try:
                return self._producer.produce(place, value, key)
            except BufferError:
                continue
        raise self._stuck()

    def serve(self) -> None:
        """Take in reports of failed deliveries, without waiting."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything produced is delivered.

        Raises:
            DeliveryError: if something was not; this writer then stays failed.
        """
        left = self._producer.flush(self._timeout_s)
        self._raise_failed()
        if left:
            raise self._stuck()

    def _note(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = error

    def _raise_failed(self) -> None:
        if self._failed is not None:
            raise DeliveryError(
                f"Kafka did not take a record ({self._failed}); nothing is committed. Are the topics there? "
                "`smartgrid topics create` makes them"
            )

    def _stuck(self) -> DeliveryError:
        return DeliveryError(
            f"{len(self._producer)} records undelivered after {self._timeout_s:g} s; are the brokers up?"
        )
