"""What a site did on the last 14 days, in slots of 15 minutes: small, exact, the same in a stream.

A slot holds the mean of a channel's values whose stamps lie in it, computed from whole numbers of
1/1024 kW and kept as float32: 5.3 KiB per channel. Values between slots are interpolated.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Floats, Integers, Micros
from pipeline.errors import FeatureError
from pipeline.fixed_point import QUANTA_PER_KW, to_quanta
from pipeline.timestamps import MICROS_PER_SECOND

DAYS: Final = 14
DAY_US: Final = 86_400 * MICROS_PER_SECOND
LONGEST_CADENCE_S: Final = 1800.0
_SLOTS_S: Final = (900, 1800)
_OLDER_SLOTS: Final = 3
"""Beyond the 14 days: the newest slot, and one on each side for interpolation."""


@dataclass(frozen=True, slots=True)
class SlotGrid:
    """Where slots lie.

    Attributes:
        slot_us: a slot's length.
        centre_us: from a slot's start to the mean stamp of its values.
    """

    slot_us: int
    centre_us: int

    @classmethod
    def of_cadence(cls, cadence_s: float) -> "SlotGrid":
        """The grid of a site's nominal cadence.

        Args:
            cadence_s: seconds between values, at most 1,800.

        Raises:
            FeatureError: for a cadence that is not positive, or longer.
        """
        if not 0 < cadence_s <= LONGEST_CADENCE_S:
            raise FeatureError(f"cadence_s: {cadence_s:g}; resample the series to 30 minutes or less")
        slot_us = next(slot for slot in _SLOTS_S if slot >= cadence_s) * MICROS_PER_SECOND
        return cls(slot_us, max(0, slot_us - round(cadence_s * MICROS_PER_SECOND)) // 2)


class Slots(Protocol):
    """Slot means of one channel."""

    @property
    def grid(self) -> SlotGrid:
        """Where the slots lie."""
        ...

    def means_kw(self, slots: Integers) -> Floats:
        """The means of slots, by their number since 1970; NaN where there is none."""
        ...


def value_at(memory: Slots, at_us: Micros) -> Floats:
    """A channel's value at some times, linear between the slots on both sides.

    Invariants:
        Elementwise: a value's bits do not depend on what else is asked. Rests on the slots of
        stamps up to ``at_us`` plus one slot alone.
    """
    grid = memory.grid
    since = at_us - grid.centre_us
    slot = since // grid.slot_us
    part = (since - slot * grid.slot_us) / grid.slot_us
    before = memory.means_kw(slot)
    after = memory.means_kw(slot + 1)
    return np.asarray(np.where(part == 0.0, before, before * (1.0 - part) + after * part))


class SlotSeries:
    """Slot means of a whole series.

    Args:
        ts_us: stamps, ascending.
        kw: values; NaN is left out.
        grid: where slots lie.
    """

    def __init__(self, ts_us: Micros, kw: Floats, grid: SlotGrid) -> None:
        self.grid = grid
        known = ~np.isnan(kw)
        slot = ts_us[known] // grid.slot_us
        self._first = int(slot[0]) if len(slot) else 0
        place = slot - self._first
        count = np.bincount(place)
        total = np.zeros(len(count), dtype=np.int64)
        np.add.at(total, place, to_quanta(kw[known]))
        self._means = _means(total, count)

    def means_kw(self, slots: Integers) -> Floats:
        """As :class:`Slots`."""
        place = slots - self._first
        inside = (place >= 0) & (place < len(self._means))
        if not len(self._means):
            return np.full(len(slots), np.nan)
        return np.asarray(np.where(inside, self._means[np.where(inside, place, 0)], np.nan), dtype=np.float64)


class SlotRing:
    """The newest slot means of one channel, of bounded size, fed as values arrive.

    A slot takes late values while it is among the newest ``open_slots``; then it is closed.

    Args:
        grid: where slots lie.
        days: how far back it reaches.
        open_slots: how many of the newest slots still take values.
    """

    def __init__(self, grid: SlotGrid, *, days: float = DAYS, open_slots: int = 16) -> None:
        self.grid = grid
        self._ring = np.full(round(days * DAY_US / grid.slot_us) + _OLDER_SLOTS, np.nan, dtype=np.float32)
        self._newest: int | None = None
        self._open_slots = open_slots
        self._open: dict[int, tuple[int, int]] = {}

    @property
    def nbytes(self) -> int:
        """Size of the seasonal memory in bytes."""
        return self._ring.nbytes

    def add(self, ts_us: int, kw: float) -> None:
        """Take a value; one that is missing or too late for its slot is left out."""
        if np.isnan(kw):
            return
        slot = ts_us // self.grid.slot_us
        if self._newest is None or slot > self._newest:
            self._advance(slot)
        elif slot <= self._newest - self._open_slots:
            return
        total, count = self._open.get(slot, (0, 0))
        total, count = total + round(kw * QUANTA_PER_KW), count + 1
        self._open[slot] = (total, count)
        self._ring[slot % len(self._ring)] = _means(np.array([total]), np.array([count]))[0]

    def means_kw(self, slots: Integers) -> Floats:
        """As :class:`Slots`."""
        if self._newest is None:
            return np.full(len(slots), np.nan)
        inside = (slots <= self._newest) & (slots > self._newest - len(self._ring))
        return np.asarray(np.where(inside, self._ring[slots % len(self._ring)], np.nan), dtype=np.float64)

    def _advance(self, slot: int) -> None:
        """Make room up to a slot: what lay there belonged to older ones."""
        size = len(self._ring)
        first = slot if self._newest is None else max(self._newest + 1, slot - size + 1)
        self._ring[np.arange(first, slot + 1) % size] = np.nan
        self._newest = slot
        self._open = {key: sums for key, sums in self._open.items() if key > slot - self._open_slots}


def _means(total: Integers, count: Integers) -> NDArray[np.float32]:
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0) / QUANTA_PER_KW
    return np.asarray(mean, dtype=np.float32)
