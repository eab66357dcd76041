"""Publishes pulses at a steady pace."""

import time
from collections.abc import Iterable
from threading import Event

from grid.telemetry import Telemetry
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC, encode_telemetry

_BREATH_S = 0.05
"""Pulses go out in bursts of this much time."""
_UNPACED_BURST = 1000


def publish_paced(
    writer: KafkaWriter, pulses: Iterable[Telemetry], rate: float | None, stopped: Event
) -> int:
    """Publish pulses, keyed by site, until they end or ``stopped`` is set; all are delivered then.

    Args:
        writer: to Kafka.
        pulses: in the order of each site's time.
        rate: pulses per second; as fast as can be where None.
        stopped: looked at before each burst.

    Returns:
        How many were published.

    Raises:
        DeliveryError: if Kafka did not take them.
    """
    burst = _UNPACED_BURST if rate is None else max(1, round(rate * _BREATH_S))
    begin = time.monotonic()
    count = 0
    for pulse in pulses:
        if count % burst == 0:
            writer.serve()
            wait_s = 0.0 if rate is None else begin + count / rate - time.monotonic()
            if stopped.wait(max(0.0, wait_s)):
                break
        writer.produce(TELEMETRY_TOPIC, pulse.site, encode_telemetry(pulse))
        count += 1
    writer.flush()
    return count
