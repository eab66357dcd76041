"""The second measurement: net load against load minus solar and wind, where each has its own meter.

Where the parts add up exactly, any difference shows at once; where two meters differ by their own
noise, sums over the last rows find what no single row shows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.arrays import resized
from pipeline.fdia.history import narrowed
from pipeline.fdia.layout import Booleans, Floats, Integers
from pipeline.fdia.tails import NEVER, UNFITTED, surprise

SPANS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
MEMORY: Final = SPANS[-1]
LEAST_NOISE: Final = 0.0005
"""Of the level: rounding in the files."""
RESTORED_Z: Final = 2.5
OPEN_S: Final = 14_400.0
SHARE: Final = 0.2
"""Of the false-alarm budget, where there is a second measurement."""
_STATE: Final = ("_recent", "_since_day", "_since_week", "_open", "alarm_day", "alarm_week")


@dataclass(frozen=True)
class BalanceFit:
    """How far the two measurements differ on clean rows.

    Attributes:
        offset: median relative difference.
        noise: its deviation.
        level_kw: mean of |load|, below a tenth of which differences count as of that.
        tails: span × parameters of :mod:`pipeline.fdia.tails`.
    """

    offset: float
    noise: float
    level_kw: float
    tails: Floats

    def deviations(self, net_kw: Floats, parts_kw: Floats, load_kw: Floats) -> Floats:
        """Difference in deviations of clean rows; NaN where a part is missing."""
        scale = np.maximum(np.abs(load_kw), self.level_kw / 10.0)
        return np.asarray(((net_kw - parts_kw) / scale - self.offset) / self.noise)


def balance_sides(channels: Sequence[str], values_kw: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Net load, load minus solar and wind, load; None unless net load and load have meters.

    Args:
        channels: names such as ``load_kw``.
        values_kw: channel × row.
    """
    of = dict(zip(channels, values_kw, strict=True))
    if "net_load_kw" not in of or "load_kw" not in of:
        return None
    parts = of["load_kw"].copy()
    for name in ("solar_kw", "wind_kw"):
        parts = parts - of[name] if name in of else parts
    return of["net_load_kw"], parts, of["load_kw"]


def measure_balance(net_kw: Floats, parts_kw: Floats, load_kw: Floats) -> BalanceFit | None:
    """Offset and noise of clean rows, without tails yet; None where they are never there together."""
    level_kw = float(np.nanmean(np.abs(load_kw)))
    plain = BalanceFit(0.0, 1.0, level_kw, np.tile(UNFITTED, (len(SPANS), 1)))
    difference = plain.deviations(net_kw, parts_kw, load_kw)
    known = difference[~np.isnan(difference)]
    if len(known) < 100 or level_kw <= 0.0:
        return None
    offset = float(np.median(known))
    noise = max(LEAST_NOISE, 1.4826 * float(np.median(np.abs(known - offset))))
    return BalanceFit(offset, noise, level_kw, plain.tails)


@dataclass(frozen=True)
class BalanceVerdicts:
    """Of one step; one entry a site, as :class:`pipeline.fdia.lanes.LaneVerdicts`."""

    fresh_day: Floats
    fresh_week: Floats
    alarm_day: Booleans
    alarm_week: Booleans
    since: Integers
    statistics: Floats


class Balances:
    """The state of some sites' balances."""

    def __init__(self, tails: Floats, open_rows: int, alarm_day: Floats, alarm_week: Floats) -> None:
        count = len(alarm_day)
        self._tails, self._open_rows = tails, open_rows
        self.alarm_day, self.alarm_week = alarm_day, alarm_week
        self._recent = np.full((count, MEMORY), np.nan)
        self._spans = np.array(SPANS)
        self._since_day = np.full(count, MEMORY)
        self._since_week = np.full(count, MEMORY)
        self._open = np.full(count, open_rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in _STATE)

    def resize(self, alarm_day: Floats, alarm_week: Floats) -> None:
        """Make room: all thresholds are given anew; restart the new sites before use."""
        for name in _STATE:
            setattr(self, name, resized(getattr(self, name), len(alarm_day)))
        self.alarm_day, self.alarm_week = alarm_day, alarm_week

    def restart(self, sites: Integers) -> None:
        """Let some sites begin anew."""
        self._recent[sites] = np.nan
        self._since_day[sites] = self._since_week[sites] = MEMORY
        self._open[sites] = self._open_rows

    @contextmanager
    def chosen(self, sites: Integers) -> Iterator[None]:
        """While open, the state is that of these sites alone, in this order; each stands there once."""
        with narrowed(self, _STATE, sites):
            yield

    def restored(self, deviation_z: Floats) -> Booleans:
        """Whether the two agree in this row after an alarm of the last hours."""
        return (self._open < self._open_rows) & (np.abs(deviation_z) < RESTORED_Z)

    def step(self, deviation_z: Floats) -> BalanceVerdicts:
        """Judge the next difference of every site (in deviations of clean rows; NaN where missing)."""
        self._recent[:, 1:] = self._recent[:, :-1].copy()
        self._recent[:, 0] = deviation_z
        self._since_day, self._since_week = self._since_day + 1, self._since_week + 1
        self._open = self._open + 1
        sums = np.cumsum(self._recent, axis=1)[:, self._spans - 1]
        statistics = np.abs(sums) / np.sqrt(self._spans)
        scored = surprise(statistics, self._tails) + np.log(SHARE / len(SPANS))
        day = np.where(self._since_day[:, None] >= self._spans, scored, NEVER)
        week = np.where(self._since_week[:, None] >= self._spans, scored, NEVER)
        fresh_day, fresh_week = day.max(axis=1), week.max(axis=1)
        alarm_day, alarm_week = fresh_day >= self.alarm_day, fresh_week >= self.alarm_week
        self._since_day[alarm_day] = 0
        self._since_week[alarm_week] = 0
        self._open[alarm_day] = 0
        since = self._spans[day.argmax(axis=1)]
        return BalanceVerdicts(fresh_day, fresh_week, alarm_day, alarm_week, since, statistics)
