"""What the stream benchmark puts on the telemetry topic: bytes made once, at stamps of the past.

Invariants:
    Every measured pulse does all the work that one in a long-running stream does: its lags are
    there, and from each rolling window one value leaves. With few sites the history is dense, the
    windows are full. With many sites that would be hundreds of pulses each, so the history holds
    only the values that those pulses look for or push out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from grid.series import BaseSeries
from grid.synthetic import FINE_STEP_S, generate_day, training_seeds
from pipeline.features import LAGS, WINDOWS_S

CADENCE_S = FINE_STEP_S
SITE_SHARE = 0.001
"""A site's size against the synthetic area: about 100 kW."""
_PROFILES = 1000
_PROFILE_SEED = 1000
_STEP = round(CADENCE_S)
DENSE_TURNS = (max(WINDOWS_S) + LAGS * _STEP) // _STEP
_SAFE_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class LoadSize:
    """How many pulses each site sends.

    Attributes:
        sites: how many.
        run_in: pulses of each before the measurement begins.
        measured: pulses of each that count.
        tail: pulses of each behind those, so that the consumer's fetching ahead goes on until the end of
            the measurement. Kafka hands out some partitions' before others' measured ones.
        paced: pulses of each that may be sent later, for the latency.
        dense: whether the history is dense.
    """

    sites: int
    run_in: int
    measured: int
    tail: int
    paced: int
    dense: bool

    def history(self) -> list[int]:
        """Seconds of the history's pulses against the first pulse after it, ascending."""
        if self.dense:
            return list(range(-_STEP * DENSE_TURNS, 0, _STEP))
        leaving = {second - window for window in WINDOWS_S for second in self.after_history()}
        lags = range(-_STEP * LAGS, 0, _STEP)
        return sorted({second for second in leaving if second < 0} | set(lags))

    def after_history(self) -> list[int]:
        """Seconds of the run-in's, the measured and the tail's pulses."""
        return list(range(0, _STEP * (self.run_in + self.measured + self.tail), _STEP))

    def paced_turns(self) -> list[int]:
        """Seconds of the paced pulses."""
        begin = _STEP * (self.run_in + self.measured + self.tail)
        return list(range(begin, begin + _STEP * self.paced, _STEP))


class StreamLoad:
    """Pulses of many sites: all sites at one stamp after those at the one before.

    The sites share a thousand shapes: one synthetic day, at other sizes and times of the day. So
    at any stamp the ramps of a whole day are on the topic, calm and steep.

    Args:
        size: how many.
        now: the wall clock; every stamp is before it.
    """

    def __init__(self, size: LoadSize, now: datetime) -> None:
        self.size = size
        span = timedelta(seconds=(size.paced_turns() or size.after_history())[-1])
        self.start = (now.astimezone(UTC) - span - _SAFE_AGE).replace(microsecond=0)
        self.keys = [f"sim-{i:06d}" for i in range(size.sites)]
        self._heads = [b'{"site":"%s","ts_utc":"' % key.encode() for key in self.keys]
        frame = generate_day(_PROFILE_SEED, CADENCE_S).frame
        self._parts = [frame[name].to_numpy() for name in ("load_kw", "solar_kw", "wind_kw")]
        profile = np.arange(min(size.sites, _PROFILES))
        self._share = SITE_SHARE * (0.5 + profile * 0.6180339887498949 % 1.0)
        self._shift = profile * len(self._parts[0]) // len(profile)

    def turns(self, seconds: Sequence[int]) -> Iterator[list[bytes]]:
        """The messages of some turns, one of each site in each, in the order of :attr:`keys`.

        Args:
            seconds: of the turns, against the first pulse after the history.
        """
        for second in seconds:
            tails = self._tails(second)
            yield [head + tails[i % len(tails)] for i, head in enumerate(self._heads)]

    def turn_of(self, moment: datetime) -> int:
        """Seconds of a stamp against the first pulse after the history."""
        return round((moment - self.start).total_seconds())

    def _tails(self, second: int) -> list[bytes]:
        stamp = (self.start + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        rows = (second // _STEP + self._shift) % len(self._parts[0])
        load, solar, wind = (np.round(part[rows] * self._share, 3) for part in self._parts)
        net = load - solar - wind
        return [
            b'%s","load_kw":%.3f,"solar_kw":%.3f,"wind_kw":%.3f,"net_load_kw":%.3f}' % (stamp, *values)
            for values in zip(load.tolist(), solar.tolist(), wind.tolist(), net.tolist(), strict=True)
        ]


def site_days(days: int) -> list[BaseSeries]:
    """Synthetic days at a site's size, for a model of such sites."""
    parts = []
    for seed in training_seeds()[:days]:
        frame = generate_day(seed, CADENCE_S).frame * SITE_SHARE
        parts.append(BaseSeries(frame, CADENCE_S))
    return parts
