"""What the fault test replays: many sites with late events, duplicates, gaps, conflicts and poison."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from grid.telemetry import Telemetry
from pipeline.messages import encode_telemetry

START = datetime(2024, 5, 1, tzinfo=UTC)
SITES = [f"meter-{i}" for i in range(48)]
POISON = (
    b"",
    b"\xff\xfe not JSON",
    b'{"site":"meter-1"}',
    b'{"site":"meter-1","ts_utc":"2024-05-01T00:00:00Z","net_load_kw":NaN}',
    b'{"site":"meter-1","ts_utc":"2024-05-01T00:00:00","net_load_kw":1}',
    b'{"site":"meter-1","ts_utc":"2024-05-01T00:00:00Z","net_load_kw":1e300}',
    b'{"site":"meter-1","ts_utc":"2024-05-01T00:00:00Z",\n"net_load',
)

Message = tuple[str, bytes]
"""A key and a value."""


def rounds(seed: int) -> Iterator[list[Message]]:
    """Endless rounds of messages, of which each has about one per site; the same for the same seed."""
    random = Random(seed)
    meters = [_Meter(site, random) for site in SITES]
    while True:
        messages = [message for meter in meters for message in meter.messages()]
        if random.random() < 0.3:
            messages.insert(random.randrange(len(messages)), (random.choice(SITES), random.choice(POISON)))
        yield messages


class _Meter:
    """One site's messages in the order in which they are sent."""

    def __init__(self, site: str, random: Random) -> None:
        self._site = site
        self._random = random
        self._moment = START
        self._sent: list[Telemetry] = []
        self._held: list[tuple[int, Telemetry]] = []

    def messages(self) -> list[Message]:
        chance = self._random.random()
        if chance < 0.02:  # a gap of one pulse, of a few, or so long that nothing before counts
            self._moment += timedelta(minutes=self._random.choice([5, 35, 150]))
            return []
        pulses = [self._measure()]
        if chance < 0.06:  # comes a few pulses late
            self._held.append((self._random.randint(1, 4), pulses.pop()))
        elif chance < 0.10 and self._sent:
            pulses.append(self._random.choice(self._sent))  # a duplicate
        elif chance < 0.105 and self._sent:
            pulses.append(replace(self._sent[-1], net_load_kw=77.0))  # a conflict
        elif chance < 0.11 and self._sent:
            pulses.append(replace(self._sent[0], ts_utc=START - timedelta(days=3)))  # too late
        self._held = [(left - 1, pulse) for left, pulse in self._held]
        pulses += [pulse for left, pulse in self._held if left == 0]
        self._held = [(left, pulse) for left, pulse in self._held if left > 0]
        self._sent = (self._sent + pulses)[-6:]
        return [(self._site, encode_telemetry(pulse)) for pulse in pulses]

    def _measure(self) -> Telemetry:
        random = self._random
        self._moment += timedelta(seconds=random.choice([300, 300, 300, 300, 290, 311]))
        load, solar = random.uniform(500.0, 900.0), random.choice([None, 0.0, random.uniform(0.0, 300.0)])
        level = None if random.random() < 0.05 else load - (solar or 0.0)
        return Telemetry(
            self._site, self._moment, load_kw=load, solar_kw=solar, wind_kw=1.0, net_load_kw=level
        )
