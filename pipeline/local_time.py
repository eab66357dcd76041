"""Local time of many moments at once, by the time-zone database alone."""

from datetime import timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.arrays import Integers, Micros
from pipeline.timestamps import MICROS_PER_SECOND, MICROSECOND, from_micros

_QUARTER_US: Final = 900 * MICROS_PER_SECOND
_QUARTERS_KEPT: Final = 65_536
DAY_US: Final = 86_400 * MICROS_PER_SECOND
MONDAY: Final = 3
"""1970 began on a Thursday, three days after a Monday."""


def local_us(ts_us: Micros, zone: str) -> Micros:
    """What clocks in a zone show, as microseconds since 1970 as if it were UTC.

    Args:
        ts_us: moments, microseconds since 1970 UTC.
        zone: IANA name.
    """
    quarters, places = np.unique(ts_us // _QUARTER_US, return_inverse=True)
    offsets = [_offset_us(quarter, zone) for quarter in quarters.tolist()]
    if None not in offsets:
        return np.asarray(ts_us + np.array(offsets, dtype=np.int64)[places])
    whole = np.array([0 if offset is None else offset for offset in offsets], dtype=np.int64)[places]
    within = np.flatnonzero(np.array([offset is None for offset in offsets])[places])
    whole[within] = [_at(moment, zone) for moment in ts_us[within].tolist()]
    return np.asarray(ts_us + whole)


def weekday(local: Micros) -> Integers:
    """Day of the week of local times; Monday is 0."""
    return np.asarray((local // DAY_US + MONDAY) % 7)


def day_of_year(local: Micros) -> Integers:
    """Day of the year of local times; the first of January is 1."""
    days = (local // DAY_US).astype("datetime64[D]")
    return np.asarray((days - days.astype("datetime64[Y]")).astype(np.int64) + 1)


@lru_cache(_QUARTERS_KEPT)
def _offset_us(quarter: int, zone: str) -> int | None:
    """Ahead of UTC during a quarter of an hour; None where the clocks change within it."""
    first, last = (_at(at, zone) for at in (quarter * _QUARTER_US, (quarter + 1) * _QUARTER_US - 1))
    return first if first == last else None


def _at(moment_us: int, zone: str) -> int:
    offset = from_micros(moment_us).astimezone(ZoneInfo(zone)).utcoffset()
    return (offset or timedelta()) // MICROSECOND
