"""The value of stored energy when the prices ahead are known: exact, backwards, by sorted slopes.

One interval turns stored energy into money along a concave line: selling (price − wear)·√η per kWh
taken out, paying price/√η per kWh put in. The value V(s) of holding s is the sup-convolution of those
lines, so its slopes (marginal values) are their sorted union, cut to the capacity after each interval.

Where price < −wear·η/(1−η), charging and discharging at once would pay (a kWh is burnt for money); the line
is then the concave hull, which allows that, so the profit is an upper bound there and exact elsewhere.
"""

import bisect
import math
from collections.abc import Iterator

import numpy as np

from grid.storage_value import Array, StorageSteps
from grid.units import KW_PER_MW


def foresight_slopes(prices: Array, steps: StorageSteps) -> Iterator[tuple[int, list[float], list[float]]]:
    """Marginal values before each interval, from the last to the first, when all prices are known.

    Args:
        prices: of every interval; NaN is an interval without trade.
        steps: the battery's.

    Yields:
        interval, slopes in ascending order, and the kWh over which each holds (they sum to the
        capacity). The lists are the working copy: read, do not keep.

    Invariants:
        Where price < −wear·η/(1−η) the line that is convolved is the concave hull (charging and
        discharging at once), so the value is an upper bound there, and exact elsewhere.
    """
    slopes, widths = [0.0], [steps.energy_kwh]
    for at in range(len(prices) - 1, -1, -1):
        price = float(prices[at])
        if not math.isnan(price):
            _insert(slopes, widths, price / steps.one_way, steps.charge_kwh)
            _insert(slopes, widths, (price - steps.wear_usd_per_mwh) * steps.one_way, steps.discharge_kwh)
            _cut(slopes, widths, steps.charge_kwh, last=True)
            _cut(slopes, widths, steps.discharge_kwh, last=False)
        yield at, slopes, widths


def _insert(slopes: list[float], widths: list[float], slope: float, width: float) -> None:
    at = bisect.bisect_left(slopes, slope)
    slopes.insert(at, slope)
    widths.insert(at, width)


def _cut(slopes: list[float], widths: list[float], width: float, *, last: bool) -> None:
    """Take ``width`` kWh off the high (``last``) or the low end."""
    end = -1 if last else 0
    while width > 0:
        if widths[end] > width:
            widths[end] -= width
            return
        width -= widths.pop(end)
        slopes.pop(end)


def foresight_profit_usd(prices: Array, steps: StorageSteps, initial_kwh: float) -> float:
    """The most that perfect foresight earns over the whole span; energy left is worth nothing.

    Exact where no price lies below −wear·η/(1−η), an upper bound otherwise. The line of each interval is
    shifted by what a full charge costs, which is added up on the way.
    """
    paid = np.nansum(prices) / steps.one_way * steps.charge_kwh
    slopes, widths = [0.0], [steps.energy_kwh]
    at_empty = 0.0  # value of an empty battery, without ``paid``
    for at in range(len(prices) - 1, -1, -1):
        price = float(prices[at])
        if math.isnan(price):
            continue
        _insert(slopes, widths, price / steps.one_way, steps.charge_kwh)
        _insert(slopes, widths, (price - steps.wear_usd_per_mwh) * steps.one_way, steps.discharge_kwh)
        at_empty += _integral(slopes, widths, steps.charge_kwh)
        _cut(slopes, widths, steps.charge_kwh, last=True)
        _cut(slopes, widths, steps.discharge_kwh, last=False)
    return (at_empty - paid + _integral(slopes, widths, initial_kwh)) / KW_PER_MW


def _integral(slopes: list[float], widths: list[float], until_kwh: float) -> float:
    """Value of the first ``until_kwh``, which have the highest slopes."""
    total = 0.0
    for slope, width in zip(reversed(slopes), reversed(widths), strict=True):
        taken = min(width, until_kwh)
        total += slope * taken
        until_kwh -= taken
        if until_kwh <= 0:
            break
    return total


def values_at(slopes: list[float], widths: list[float], soc_kwh: Array) -> Array:
    """Marginal value at each SoC (kWh, ascending)."""
    ends = np.cumsum(widths[::-1])
    at = np.minimum(np.searchsorted(ends, soc_kwh, side="left"), len(slopes) - 1)
    return np.asarray(slopes[::-1])[at]
