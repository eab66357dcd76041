"""What the same time of past days says: the inputs that rest on a channel's seasonal memory alone.

At pulses faster than five minutes they are those of the last full five minutes, in training and in
the stream alike: so a stream works them out once in five minutes a site, not with every pulse.

Invariants:
    Elementwise in a fixed order: a number's bits do not depend on what is asked beside it.
    Missing is NaN.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Micros
from pipeline.forecasting.memory import DAY_US, DAYS, SlotGrid, Slots, value_at
from pipeline.timestamps import MICROS_PER_SECOND

WEEK: Final = 7
MINUTE_US: Final = 60 * MICROS_PER_SECOND
PAST_WINDOWS_MIN: Final = (30, 60, 120, 180)
RECENT_MIN: Final = 30
_STEP_US: Final = 5 * MINUTE_US


def as_of_us(ts_us: Micros, cadence_us: int) -> Micros:
    """Of when the seasonal inputs are that a row at each time has: itself, or the last full five minutes."""
    return ts_us if cadence_us >= _STEP_US else ts_us // _STEP_US * _STEP_US


class Past:
    """A channel's values at the same time of past days, looked up once each.

    Args:
        memory: of the channel.
        at_us: times, of which it tells the past.
        horizon_us: how far ahead a change is looked for.
    """

    def __init__(self, memory: Slots, at_us: Micros, horizon_us: int) -> None:
        self.memory, self.at_us, self.horizon_us = memory, at_us, horizon_us
        self._found: dict[int, Floats] = {}

    def ago(self, before_us: int) -> Floats:
        """Values so long before."""
        if before_us not in self._found:
            self._found[before_us] = value_at(self.memory, self.at_us - before_us)
        return self._found[before_us]

    def changes(self, from_us: int, to_us: int, days: int = WEEK) -> list[Floats]:
        """Changes from t + from to t + to, moved back by 1, 2, … days."""
        return [
            self.ago(day * DAY_US - to_us) - self.ago(day * DAY_US - from_us) for day in range(1, days + 1)
        ]


def seasonal_inputs(memory: Slots, at_us: Micros, horizon_us: int) -> dict[str, Floats]:
    """The seasonal inputs of the net load.

    Args:
        memory: of the net load; holds the values up to 30 minutes before each time.
        at_us: times, as :func:`as_of_us` gives them.
        horizon_us: of the forecast.
    """
    past = Past(memory, at_us, horizon_us)
    return {**_ahead(past), **_so_far(past), **_level(past)}


@cache
def seasonal_names(horizon_us: int) -> tuple[str, ...]:
    """Names of the seasonal inputs, in order."""
    nothing = NoSlots(SlotGrid.of_cadence(1.0))
    return tuple(seasonal_inputs(nothing, np.empty(0, dtype=np.int64), horizon_us))


@dataclass(frozen=True, slots=True)
class NoSlots:
    """A memory of nothing."""

    grid: SlotGrid

    def means_kw(self, slots: Micros) -> Floats:
        """As :class:`pipeline.forecasting.memory.Slots`."""
        return np.full(len(slots), np.nan)


def _ahead(past: Past) -> dict[str, Floats]:
    """Changes over the horizon that followed the same time of past days."""
    horizon_us, step_us = past.horizon_us, past.memory.grid.slot_us
    changes = past.changes(0, horizon_us, DAYS)
    week, both = mean_of(changes[:WEEK]), mean_of(changes)
    found = {
        "ahead_mean_7d_kw": week,
        "ahead_spread_7d_kw": spread_of(changes[:WEEK], week),
        "ahead_median_7d_kw": _median(changes[:WEEK]),
        "ahead_mean_3d_kw": mean_of(changes[:3]),
        "ahead_mean_14d_kw": both,
        "ahead_spread_14d_kw": spread_of(changes, both),
        "ahead_same_weekday_kw": mean_of([changes[6], changes[13]]),
        "ahead_1d_kw": changes[0],
        "ahead_7d_kw": changes[6],
    }
    for name, begin_us, end_us in (
        ("later", step_us, step_us + horizon_us),
        ("earlier", -step_us, horizon_us - step_us),
        ("half", 0, horizon_us // 2),
        ("after", horizon_us, 2 * horizon_us),
        ("far", 0, 4 * horizon_us),
    ):
        found[f"ahead_{name}_7d_kw"] = mean_of(past.changes(begin_us, end_us))
    return found


def _so_far(past: Past) -> dict[str, Floats]:
    """Changes that led to the same time of past days, and where the ones that lead here began."""
    found = {}
    for minutes in PAST_WINDOWS_MIN:
        over_us = minutes * MINUTE_US
        before = past.changes(-over_us, 0)
        mean = mean_of(before)
        found[f"change_{minutes}min_mean_7d_kw"] = mean
        found[f"change_{minutes}min_1d_kw"] = before[0]
        found[f"change_{minutes}min_7d_kw"] = before[6]
        if minutes == RECENT_MIN:
            found["change_30min_spread_7d_kw"] = spread_of(before, mean)
        else:
            found[f"ago_{minutes}min_kw"] = past.ago(over_us)
    return found


def _level(past: Past) -> dict[str, Floats]:
    days = [past.ago(day * DAY_US) for day in range(1, WEEK + 1)]
    return {"day_1_kw": days[0], "day_7_kw": days[6], "day_mean_7d_kw": mean_of(days)}


def mean_of(values: list[Floats]) -> Floats:
    """Mean of what is there, added in order."""
    total, count = np.zeros(len(values[0])), np.zeros(len(values[0]))
    for value in values:
        known = ~np.isnan(value)
        total = total + np.where(known, value, 0.0)
        count = count + known
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def spread_of(values: list[Floats], mean: Floats) -> Floats:
    """Sample standard deviation of what is there; NaN for fewer than two."""
    total, count = np.zeros(len(mean)), np.zeros(len(mean))
    for value in values:
        known = ~np.isnan(value)
        total = total + np.where(known, (value - mean) ** 2, 0.0)
        count = count + known
    variance = np.divide(total, count - 1, out=np.full(len(count), np.nan), where=count > 1)
    return np.asarray(np.sqrt(variance))


def _median(values: list[Floats]) -> Floats:
    """The lower median of what is there."""
    ordered = np.sort(np.stack(values), axis=0)  # NaN last
    count = np.sum(~np.isnan(ordered), axis=0)
    middle = np.maximum((count - 1) // 2, 0)
    return np.asarray(np.take_along_axis(ordered, middle[None], axis=0)[0])
