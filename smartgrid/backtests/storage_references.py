"""What the learnt trader is compared to: fixed thresholds, and a plan on yesterday's prices."""

from itertools import product
from typing import Final

import numpy as np

from grid.storage_value import Array, Shift, StorageSteps, TradeLevels, interval_values

QUANTILES: Final = np.linspace(0.05, 0.95, 10)
DAY_H: Final = 24
NODES: Final = 25


def tuned_thresholds(past: Array, seen: Array, steps: StorageSteps) -> tuple[float, float]:
    """The pair of fixed prices, buy below and sell above, that would have earned most in the past.

    Args:
        past: at which each interval settled.
        seen: at which it was decided.
        steps: the battery's.
    """
    candidates = np.nanquantile(past, QUANTILES)
    pairs = np.array([(low, high) for low, high in product(candidates, candidates) if low <= high])
    low, high = pairs.T
    soc, profit = np.full(len(pairs), steps.energy_kwh / 2), np.zeros(len(pairs))
    known = ~np.isnan(past)
    for price, decided in zip(past[known].tolist(), seen[known].tolist(), strict=True):
        charged = np.where(decided < low, np.minimum(steps.energy_kwh - soc, steps.charge_kwh), 0.0)
        taken = np.where(decided > high, np.minimum(soc, steps.discharge_kwh), 0.0)
        profit += taken * ((price - steps.wear_usd_per_mwh) * steps.one_way) - charged * (
            price / steps.one_way
        )
        soc += charged - taken
    best = int(np.argmax(profit))
    return float(low[best]), float(high[best])


def threshold_levels(seen: Array, low: float, high: float, steps: StorageSteps) -> TradeLevels:
    """Charge to full below ``low``, discharge to empty above ``high``."""
    charge_to = np.where(seen < low, steps.energy_kwh, 0.0)
    return TradeLevels(charge_to, np.where(seen > high, 0.0, steps.energy_kwh))


def yesterday_values(price: Array, steps: StorageSteps, per_hour: int, first: int = 0) -> Array:
    """Marginal values if the next 24 hours bring yesterday's prices again; planned anew every hour.

    Args:
        price: of every interval; the plan of an hour uses the day before it alone.
        steps: the battery's.
        per_hour: intervals an hour.
        first: interval from which on plans are wanted.

    Returns:
        after each interval from ``first`` on, (intervals, nodes).
    """
    day = DAY_H * per_hour
    starts = np.arange(first // per_hour * per_hour, len(price), per_hour)
    padded = np.concatenate((np.full(day, np.nan), price, np.full(per_hour, np.nan)))
    nodes = np.linspace(0.0, steps.energy_kwh, NODES)
    charge, discharge = Shift.of(nodes, steps.charge_kwh), Shift.of(nodes, -steps.discharge_kwh)
    values, found = np.zeros((len(starts), NODES)), np.empty((len(price), NODES))
    for back in range(day - 1, -1, -1):
        if back < per_hour:
            at = starts + back
            inside = at < len(price)
            found[at[inside]] = values[inside]
        ahead = padded[starts + back][:, None]
        moved = interval_values(values, steps.buying(ahead), steps.selling(ahead), charge, discharge)
        values = np.where(np.isnan(ahead), values, moved)
    return found[first:]
