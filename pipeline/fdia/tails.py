"""How rare a statistic is on clean rows: one common scale for detectors of every kind.

Surprise is −ln(rows a day that reach this value on clean data): 0 is once a day, ln 7 once a week.
Beyond what the clean rows show it goes on exponentially, by the mean excess.
"""

from typing import Final

import numpy as np

from pipeline.fdia.layout import Floats, Integers

RARE_PER_DAY: Final = 1.0
USUAL_PER_DAY: Final = 10.0
LEAST_SLOPE: Final = 0.05
LEAST_SCALE: Final = 1e-9
FEWEST_TIES: Final = 5
NEVER: Final = -50.0
"""Surprise of a statistic that is not there."""
PARAMETERS: Final = 4
UNFITTED: Final = (np.inf, 0.0, 1.0, 1.0)
"""A scale on which nothing surprises."""


def fit_tail(statistic: Floats, days: float, least_slope: float = LEAST_SLOPE) -> Floats:
    """The scale of one statistic.

    Args:
        statistic: on clean rows; NaN where it is not there.
        days: how long the clean rows last.
        least_slope: units per surprise above what clean rows show; 1 for what is −ln of a chance.

    Returns:
        Value, its surprise, and units per surprise below and above that value.
    """
    ordered = np.sort(statistic[~np.isnan(statistic)])[::-1]
    if len(ordered) == 0:
        return np.array(UNFITTED)
    value, count = _value_at(ordered, RARE_PER_DAY * days)
    usual, usual_count = _value_at(ordered, USUAL_PER_DAY * days)
    below = (value - usual) / max(np.log(usual_count / count), 0.5) if value > usual else LEAST_SLOPE
    excess = ordered[: int(count)] - value
    above = float(excess.mean()) if count >= 20 else (below if count >= 1 else 0.0)
    at_value = -np.log(count / days)
    above = max(above, least_slope, _slope_of_ties(ordered, value, at_value, days))
    return np.array([value, at_value, max(below, LEAST_SCALE), above])


def _slope_of_ties(ordered: Floats, value: float, at_value: float, days: float) -> float:
    """Units per surprise with which no value that clean rows take again and again is rarer than it was."""
    larger, taken = np.unique(ordered[ordered > value], return_counts=True)
    reached = np.cumsum(taken[::-1])[::-1]
    rarer = -np.log(reached / days) - at_value
    again = (taken >= FEWEST_TIES) & (rarer > 0.0)
    return float(np.max((larger[again] - value) / rarer[again], initial=0.0))


def _value_at(ordered: Floats, rank: float) -> tuple[float, float]:
    """The value that about ``rank`` rows reach, never one that ties make far more frequent."""
    value = float(ordered[min(len(ordered), max(1, int(rank))) - 1])
    reached = int(np.searchsorted(-ordered, -value, side="right"))
    if reached <= 1.5 * rank:
        return value, float(reached)
    larger = ordered[ordered > value]
    if len(larger) == 0:
        return value + 1.0, 0.5  # never seen on clean rows
    return float(larger[-1]), float(len(larger))


def surprise(statistic: Floats, tails: Floats) -> Floats:
    """Surprise of statistics, elementwise; ``tails`` as :func:`fit_tail` in the last axis."""
    value, at_value, below, above = np.moveaxis(tails, -1, 0)
    off = statistic - value
    rising = off >= 0.0
    found = at_value + off / np.where(rising, above, np.maximum(below, LEAST_SCALE))
    return np.where(np.isnan(found), NEVER, np.maximum(found, NEVER))


def first_over(surprise_of: Floats, threshold: Floats) -> Integers:
    """The first statistic of each lane that suffices: what lies before it is trusted."""
    return np.asarray((surprise_of >= threshold[:, None]).argmax(axis=1))
