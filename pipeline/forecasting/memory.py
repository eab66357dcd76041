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
        self._means = slot_means(total, count)

    def means_kw(self, slots: Integers) -> Floats:
        """As :class:`Slots`."""
        place = slots - self._first
        inside = (place >= 0) & (place < len(self._means))
        if not len(self._means):
            return np.full(len(slots), np.nan)
        return np.asarray(np.where(inside, self._means[np.where(inside, place, 0)], np.nan), dtype=np.float64)


def slot_means(total: Integers, count: Integers) -> NDArray[np.float32]:
    """Means in kW of slots with these sums of quanta and counts; NaN for none."""
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0) / QUANTA_PER_KW
    return np.asarray(mean, dtype=np.float32)
