"""The producer: pulses of telemetry in, messages on ``grid.telemetry`` out."""

from collections.abc import Iterable

from grid.telemetry import Telemetry
from pipeline.messages import TELEMETRY_TOPIC, encode_telemetry
from pipeline.transport import Producing


def publish(stream: Producing, pulses: Iterable[Telemetry]) -> int:
    """Publish pulses, keyed by site, in their order.

    Returns:
        How many there were.
    """
    count = 0
    for pulse in pulses:
        stream.produce(TELEMETRY_TOPIC, pulse.site, encode_telemetry(pulse))
        count += 1
    return count
