"""The seasonal memory of many sites' net load, as arrays; a site is a row.

It holds the same bits as :class:`pipeline.forecasting.memory.SlotSeries` does of the same values. A
slot takes values while it is one of the newest few, so that every value within the lateness finds
its slot open; then it is closed, and its sums are handed out once, for the store.

Where a log is read again, closed slots come from the store: what it holds of a slot that the log
has but in part counts, as soon as the slot closes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from pipeline.arrays import Floats, Indices, Integers, Micros, ordinals, resized
from pipeline.fixed_point import QUANTA_PER_KW
from pipeline.forecasting.memory import DAY_US, DAYS, SlotGrid, slot_means

_MARGIN_SLOTS = 3
"""Beyond the 14 days and the open ones: the newest slot, and one on each side for interpolation."""
_NEVER = -1
MEMORY = timedelta(days=DAYS + 1)
"""How far back from a row the memory is looked at, and some more."""


@dataclass(frozen=True, slots=True)
class ClosedSlots:
    """Slots that take no more values.

    Attributes:
        rows: of their sites.
        slots: numbers since 1970.
        totals: sums of their values' quanta.
        counts: how many values.
    """

    rows: Indices
    slots: Integers
    totals: Integers
    counts: Integers

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> "ClosedSlots":
        """No slots."""
        return cls(*(np.empty(0, dtype=np.int64) for _ in range(4)))

    @classmethod
    def joined(cls, parts: Iterable["ClosedSlots"]) -> "ClosedSlots":
        """One after the other."""
        every = [cls.none(), *parts]
        return cls(*(np.concatenate([getattr(part, name) for part in every]) for name in cls.__slots__))


class SlotTable:
    """Slot means of many sites.

    Args:
        grid: where slots lie.
        lateness_us: how much older than its site's newest value a value may be.
    """

    _ARRAYS = ("_means", "_newest", "_totals", "_counts")

    def __init__(self, grid: SlotGrid, lateness_us: int) -> None:
        self.grid = grid
        self.open_slots = lateness_us // grid.slot_us + 2
        self._size = DAYS * DAY_US // grid.slot_us + 2 * self.open_slots + _MARGIN_SLOTS
        self._means = np.empty((0, self._size), dtype=np.float32)
        self._newest = np.empty(0, dtype=np.int64)
        self._totals = np.empty((0, self.open_slots), dtype=np.int64)
        self._counts = np.empty((0, self.open_slots), dtype=np.int64)
        self._stored: dict[int, dict[int, np.float32]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in self._ARRAYS)

    @property
    def reach_us(self) -> int:
        """How far back from a site's newest value its open slots may begin."""
        return (self.open_slots + 1) * self.grid.slot_us

    def resize(self, sites: int) -> None:
        """Make room for so many rows; what is there stays."""
        for name in self._ARRAYS:
            setattr(self, name, resized(getattr(self, name), sites))

    def clear(self, row: int) -> None:
        """Forget a site."""
        self._means[row], self._newest[row] = np.nan, _NEVER
        self._totals[row] = self._counts[row] = 0
        self._stored.pop(row, None)

    def load(self, row: int, stored: Mapping[int, tuple[int, int]], first_us: int) -> None:
        """Set a site that is new here to what is known of its past.

        Args:
            row: the site.
            stored: sum of quanta and count by slot, of closed slots.
            first_us: of the first value that will be added; what lies in its slot or before is closed.
        """
        if not stored:
            return
        slots = np.array(sorted(stored), dtype=np.int64)
        sums = np.array([stored[slot] for slot in slots.tolist()], dtype=np.int64)
        means = slot_means(sums[:, 0], sums[:, 1])
        closed = min(int(slots[-1]), first_us // self.grid.slot_us)
        self._newest[row] = closed + self.open_slots
        held = (slots <= closed) & (slots > self._newest[row] - self._size)
        self._means[row, slots[held] % self._size] = means[held]
        later = {int(slot): mean for slot, mean in zip(slots, means, strict=True) if slot > closed}
        if later:
            self._stored[row] = later

    def add(self, rows: Indices, ts_us: Micros, quanta: Integers) -> ClosedSlots:
        """Take values.

        Args:
            rows: their sites, sorted.
            ts_us: their times; in the order in which a site's values came.
            quanta: their net load.

        Returns:
            The slots that closed.
        """
        slots, turn = ts_us // self.grid.slot_us, ordinals(rows)
        if not turn.any():
            return self._add(rows, slots, quanta)
        turns = (turn == number for number in range(int(turn.max()) + 1))
        return ClosedSlots.joined(self._add(rows[one], slots[one], quanta[one]) for one in turns)

    def _add(self, rows: Indices, slots: Integers, quanta: Integers) -> ClosedSlots:
        """Take one value of each of some sites."""
        newest = self._newest[rows]
        closed = ClosedSlots.none()
        if (moving := slots > newest).any():
            before = np.where(newest == _NEVER, slots - 1, newest)
            closed = self._advance(rows[moving], before[moving], slots[moving])
            newest = np.maximum(newest, slots)
        if not (open_ := slots > newest - self.open_slots).all():
            rows, slots, quanta = rows[open_], slots[open_], quanta[open_]
        place = slots % self.open_slots
        totals, counts = self._totals[rows, place] + quanta, self._counts[rows, place] + 1
        self._totals[rows, place], self._counts[rows, place] = totals, counts
        self._means[rows, slots % self._size] = totals / counts / QUANTA_PER_KW
        return closed

    def _advance(self, rows: Indices, before: Integers, slots: Integers) -> ClosedSlots:
        """Open the slots up to these: what stood at their places is closed."""
        steps, closed = slots - before, []
        for step in range(1, min(int(steps.max()), self.open_slots) + 1):
            far = steps >= step
            of, slot = rows[far], before[far] + step
            place = slot % self.open_slots
            done = ClosedSlots(of, slot - self.open_slots, self._totals[of, place], self._counts[of, place])
            self._totals[of, place] = self._counts[of, place] = 0
            self._means[of, slot % self._size] = np.nan
            held = done.counts > 0
            closed.append(ClosedSlots(*(getattr(done, name)[held] for name in ClosedSlots.__slots__)))
        for i in np.flatnonzero(steps > self.open_slots).tolist():
            first = max(before[i] + 1, slots[i] - self._size + 1)
            self._means[rows[i], np.arange(first, slots[i] + 1) % self._size] = np.nan
        self._newest[rows] = slots
        for row in self._stored.keys() & set(rows.tolist()):
            self._settle(row)
        return ClosedSlots.joined(closed)

    def _settle(self, row: int) -> None:
        """Put what the store knows of slots that are closed by now to its place."""
        newest = int(self._newest[row])
        stored = self._stored[row]
        for slot in [slot for slot in stored if slot <= newest - self.open_slots]:
            mean = stored.pop(slot)
            if slot > newest - self._size:
                self._means[row, slot % self._size] = mean
        if not stored:
            del self._stored[row]

    def of(self, rows: Indices) -> "SlotsOfRows":
        """The memories of some sites, to be asked for one slot of each at a time."""
        return SlotsOfRows(self, rows)

    def means_kw(self, rows: Indices, slots: Integers) -> Floats:
        """The mean of one slot of each of some sites; NaN where there is none."""
        newest = self._newest[rows]
        found = self._means[rows, slots % self._size].astype(np.float64)
        return np.where((slots <= newest) & (slots > newest - self._size), found, np.nan)


@dataclass(frozen=True, slots=True)
class SlotsOfRows:
    """As :class:`pipeline.forecasting.memory.Slots`, entry by entry for some sites."""

    table: SlotTable
    rows: Indices

    @property
    def grid(self) -> SlotGrid:
        """Where the slots lie."""
        return self.table.grid

    def means_kw(self, slots: Integers) -> Floats:
        """The means of one slot of each site."""
        return self.table.means_kw(self.rows, slots)
