"""The calendar of slots, a day worked out at a time."""

from typing import Final

import numpy as np

from pipeline.fdia.layout import Calendar, Integers, Layout
from pipeline.local_time import DAY_US
from pipeline.timestamps import MICROS_PER_SECOND

DAYS_KEPT: Final = 16


class SlotCalendar:
    """Calendars by slot (numbered from 1970).

    Args:
        layout: cadence and time zone.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._days: dict[int, Calendar] = {}

    def of(self, slot: Integers) -> Calendar:
        """The calendar of some slots."""
        day, row = np.divmod(slot, self._layout.day_rows)
        known = np.unique(day).tolist()
        parts = [self._of_day(number) for number in known]
        if len(parts) == 1:
            return Calendar(parts[0].block[row], parts[0].terms[row])
        place = np.searchsorted(known, day)
        block, terms = np.stack([part.block for part in parts]), np.stack([part.terms for part in parts])
        return Calendar(block[place, row], terms[place, row])

    def _of_day(self, day: int) -> Calendar:
        found = self._days.get(day)
        if found is None:
            rows_us = np.arange(self._layout.day_rows) * round(self._layout.cadence_s * MICROS_PER_SECOND)
            found = self._layout.calendar_at(day * DAY_US + rows_us)
            while len(self._days) >= DAYS_KEPT:
                self._days.pop(next(iter(self._days)))
            self._days[day] = found
        return found
