"""A plant's owner on Kafka: publishes its pulses, and is one member of the group that reads them."""

import time
from collections.abc import Iterable
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from grid.telemetry import Telemetry
from pipeline.errors import PipelineError, TransportError
from pipeline.kafka_progress import BROKER_TIMEOUT_S
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_writer import KafkaWriter
from pipeline.producer import publish
from smartgrid.model_following import ModelFollower
from smartgrid.plant_stream import EngineOn, OnRound

CLOSE_S: Final = 10.0
"""How long the batch under way is waited for at the end."""


class KafkaMember:
    """Pulses go to Kafka; an engine in a thread of its own is one member of the consumer group.

    Invariants:
        :meth:`take` waits for no forecast: other members may have the partitions, the broker or the
        store may be away. How old the newest pulse in the store is tells whether it can be acted on.
        An engine that has stopped (its store or its broker was away for longer than it waits)
        ends the owner with the next pulses; it never goes on unseen.

    Args:
        connection: the brokers.
        engine_on: makes the engine; its store is used in the engine's thread.
        on_round: told of every batch, in that thread.
        models: gives the engine its detector, and models that are put into use later.
        group: the consumer group.
        prefix: put before the name of every topic.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        engine_on: EngineOn,
        on_round: OnRound,
        models: ModelFollower,
        *,
        group: str,
        prefix: str = "",
    ) -> None:
        self._writer = KafkaWriter(connection, prefix=prefix, delivery_timeout_s=BROKER_TIMEOUT_S)
        self._stream = KafkaStream(connection, group=group, prefix=prefix)
        self._engine = engine_on(self._stream)
        models.equip(self._engine)
        self._models = models
        self._on_round = on_round
        self._stop = Event()
        self._failure: PipelineError | None = None
        self._thread = Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the group after the batch under way, and deliver what was published."""
        self._stop.set()
        self._thread.join(CLOSE_S)
        self._writer.flush()

    def take(self, pulses: Iterable[Telemetry]) -> int:
        """Publish pulses; they are delivered in the background.

        Raises:
            PipelineError: what stopped the engine, or a delivery that failed.
        """
        if self._failure is not None:
            raise self._failure
        if not self._thread.is_alive():
            raise TransportError("the stream's thread has ended; its last words are on standard error")
        count = publish(self._writer, pulses)
        self._writer.serve()
        return count

    def _run(self) -> None:
        try:
            with self._stream:
                while not self._stop.is_set():
                    began_s = time.perf_counter()
                    self._models.follow(self._engine)
                    report = self._engine.run_once()
                    self._on_round(report, time.perf_counter() - began_s, self._stream)
        except PipelineError as error:
            self._failure = error  # the owner's thread raises it
