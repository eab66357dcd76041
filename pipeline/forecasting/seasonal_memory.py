"""The seasonal inputs of many sites in a stream: slot memories, and the last inputs of each site."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices, Integers, Micros, resized
from pipeline.forecasting.memory import SlotGrid
from pipeline.forecasting.seasonal import as_of_us, seasonal_inputs, seasonal_names
from pipeline.forecasting.slot_table import ClosedSlots, SlotTable
from pipeline.store import SlotSum
from pipeline.timestamps import MICROS_PER_SECOND, to_micros

_NOTHING: Final = -1


@dataclass(frozen=True, slots=True)
class SeasonalNeed:
    """What seasonal inputs a model asks for.

    Attributes:
        cadence_s: nominal, of the sites.
        horizon_s: of the forecast.
    """

    cadence_s: float
    horizon_s: float

    @property
    def horizon_us(self) -> int:
        """The horizon in microseconds."""
        return round(self.horizon_s * MICROS_PER_SECOND)

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs, in order."""
        return seasonal_names(self.horizon_us)


class SeasonalMemory:
    """Slot memories of all sites, and the inputs that were worked out last; a site is a row.

    Args:
        need: what is asked for.
        lateness_s: how much older than its site's newest value a value may be.
    """

    def __init__(self, need: SeasonalNeed, lateness_s: float) -> None:
        self.need = need
        self._cadence_us = round(need.cadence_s * MICROS_PER_SECOND)
        self._slots = SlotTable(SlotGrid.of_cadence(need.cadence_s), round(lateness_s * MICROS_PER_SECOND))
        self._as_of_us = np.empty(0, dtype=np.int64)
        self._inputs = np.empty((0, len(need.names)))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self._slots.nbytes + self._as_of_us.nbytes + self._inputs.nbytes

    @property
    def reach_ms(self) -> int:
        """How far back from a site's newest value a log must be read for what no store holds."""
        return self._slots.reach_us // 1000

    @property
    def slot_us(self) -> int:
        """A slot's length."""
        return self._slots.grid.slot_us

    def resize(self, sites: int) -> None:
        """Make room for so many rows; what is there stays."""
        self._slots.resize(sites)
        self._as_of_us, self._inputs = resized(self._as_of_us, sites), resized(self._inputs, sites)

    def clear(self, row: int) -> None:
        """Forget a site."""
        self._slots.clear(row)
        self._as_of_us[row] = _NOTHING

    def recall(self, row: int, slots: Sequence[SlotSum], first_us: int) -> None:
        """Set a site that is new here to what a store holds of it.

        Args:
            row: the site.
            slots: closed ones.
            first_us: time of the first value that will be added.
        """
        stored = {to_micros(slot.start) // self.slot_us: (slot.quanta, slot.count) for slot in slots}
        self._slots.load(row, stored, first_us)

    def add(self, rows: Indices, ts_us: Micros, quanta: Integers) -> ClosedSlots:
        """Take values that are newer than all before of their sites; sorted by site.

        Returns:
            The slots that closed.
        """
        return self._slots.add(rows, ts_us, quanta)

    def add_late(self, row: int, ts_us: int, quanta: int) -> None:
        """Take a value that is older than the newest of its site."""
        self._slots.add(np.array([row]), np.array([ts_us]), np.array([quanta]))
        self._as_of_us[row] = _NOTHING

    def inputs(self, rows: Indices, ts_us: Micros) -> Floats:
        """The seasonal inputs of events, one row each, columns as ``need.names``.

        Args:
            rows: their sites.
            ts_us: their times; the memory holds all values up to 30 minutes before.
        """
        wanted_us = as_of_us(ts_us, self._cadence_us)
        found = self._inputs[rows]
        old = np.flatnonzero(self._as_of_us[rows] != wanted_us)
        if len(old):
            of, at_us = rows[old], wanted_us[old]
            columns = seasonal_inputs(self._slots.of(of), at_us, self.need.horizon_us)
            found[old] = np.column_stack(list(columns.values()))
            self._inputs[of], self._as_of_us[of] = found[old], at_us  # the last one of a site counts
        return found
