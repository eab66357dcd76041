"""The live producer's parts, put together."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from random import SystemRandom
from threading import Event

from grid.telemetry import Telemetry
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC, encode_telemetry
from smartgrid.live.areas import Area
from smartgrid.live.errors import StoppedError
from smartgrid.live.journal import Journal
from smartgrid.live.publishing import run_live
from smartgrid.live.reader import open_reader
from smartgrid.live.source import LiveSource
from smartgrid.settings import Settings


def produce_live(
    settings: Settings, area: Area, site: str, writer: KafkaWriter, stopped: Event
) -> Counter[str]:
    """Publish an area's live telemetry until ``stopped`` is set; how :func:`run_live` counts it.

    Raises:
        LiveError: if live data cannot go on, or cannot begin.
        DeliveryError: if Kafka did not take a pulse.
    """

    def publish(pulses: Sequence[Telemetry]) -> None:
        for pulse in pulses:
            writer.produce(TELEMETRY_TOPIC, pulse.site, encode_telemetry(pulse))
        writer.flush()

    journal = Journal(settings.state / "live" / f"{site}.jsonl", site)
    try:
        with open_reader(stopped) as reader:
            source = LiveSource(area, site, reader.ask, SystemRandom())
            return run_live(source, publish, journal, stopped, lambda: datetime.now(UTC))
    except StoppedError:  # before the reader was ready
        return Counter(published=0)
