"""Where an owner's pulses go, and the engine that makes forecasts of them: embedded, or on Kafka."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from grid.telemetry import Telemetry
from pipeline.engine import BatchReport, StreamEngine
from pipeline.memory_stream import MemoryStream
from pipeline.producer import publish
from pipeline.transport import Transport
from smartgrid.kafka_access import kafka_connection
from smartgrid.model_following import ModelFollower
from smartgrid.settings import Settings

STREAM_GROUP: Final = "smartgrid-stream"
"""The consumer group of `smartgrid up` and `smartgrid stream`."""

OnRound = Callable[[BatchReport, float, Transport], None]
"""Told what a round did, how many seconds it took, and of which transport."""
EngineOn = Callable[[Transport], StreamEngine]
"""Makes the engine that reads a transport."""


class PlantStream(Protocol):
    """Takes what a plant's meters read."""

    def take(self, pulses: Iterable[Telemetry]) -> int:
        """Publish pulses; how many there were.

        Raises:
            PipelineError: if the stream has stopped, or stops with these.
        """
        ...


class EmbeddedStream:
    """Topics in memory; every pulse has its forecast when :meth:`take` returns.

    Args:
        engine_on: makes the engine.
        on_round: told of every drain.
        models: gives the engine its detector, and models that are put into use later; the engine's
            own model alone where None.
    """

    def __init__(
        self,
        engine_on: EngineOn,
        on_round: OnRound = lambda _report, _seconds, _transport: None,
        models: ModelFollower | None = None,
    ) -> None:
        self._stream = MemoryStream()
        self._engine = engine_on(self._stream)
        self._models = models
        if models is not None:
            models.equip(self._engine)
        self._on_round = on_round

    def take(self, pulses: Iterable[Telemetry]) -> int:
        """Publish pulses and stream them."""
        count = publish(self._stream, pulses)
        if self._models is not None:
            self._models.follow(self._engine)
        began_s = time.perf_counter()
        report = self._engine.drain()
        self._on_round(report, time.perf_counter() - began_s, self._stream)
        return count


@contextmanager
def plant_stream(
    settings: Settings, engine_on: EngineOn, on_round: OnRound, *, group: str, prefix: str
) -> Iterator[PlantStream]:
    """The stream that the settings ask for: on Kafka where they name brokers, else in memory.

    It goes on with the model that is put into use in the settings' directory.

    Raises:
        DetectorError: if the detector in use is damaged.
        TransportError: if the brokers cannot be reached, or have no such topics.
    """
    models = ModelFollower(settings.model_dir)
    if settings.kafka is None:
        yield EmbeddedStream(engine_on, on_round, models)
        return
    from pipeline.kafka_topics import require_topics  # noqa: PLC0415  only where Kafka is used
    from smartgrid.kafka_member import KafkaMember  # noqa: PLC0415

    connection = kafka_connection(settings)
    require_topics(connection, prefix=prefix)
    with KafkaMember(connection, engine_on, on_round, models, group=group, prefix=prefix) as member:
        yield member
