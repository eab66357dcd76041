"""What one more MWh in the battery is worth, by stochastic dynamic programming along expected prices."""

from typing import Final

import numpy as np

from grid.assets import BatterySpec
from grid.storage_value import Array, Shift, StorageSteps, interval_values

NODES: Final = 21
CASE_ODDS: Final = (0.3, 0.4, 0.3)
"""Of a low, a middle and a high price."""
_STEP_S: Final = 1800.0


def energy_value_usd_per_mwh(
    battery: BatterySpec, soc_kwh: float, prices_usd_per_mwh: Array, interval_s: float
) -> float | None:
    """Marginal value of stored energy now.

    In each step of up to half an hour the price is low, middle or high, independently of the others. What is
    left at the end counts at the mean price, as it is settled.

    Args:
        battery: the battery.
        soc_kwh: stored now.
        prices_usd_per_mwh: low, middle and high price of each interval from now on, a row each; rows from
            the first missing one on are left out.
        interval_s: length of an interval.

    Returns:
        None without a price.
    """
    missing = np.flatnonzero(np.isnan(prices_usd_per_mwh).any(axis=1))
    prices = prices_usd_per_mwh[: missing[0]] if len(missing) else prices_usd_per_mwh
    if not len(prices):
        return None
    size = max(1, round(_STEP_S / interval_s))
    nodes_kwh = np.linspace(0.0, (battery.soc_max - battery.soc_min) * battery.energy_kwh, NODES)
    mean = float(np.mean(prices @ np.array(CASE_ODDS)))
    values = np.full(NODES, max(0.0, mean) / battery.one_way_efficiency)
    for first in range((len(prices) - 1) // size * size, -1, -size):
        rows = prices[first : first + size]
        steps = StorageSteps.of(battery, len(rows) * interval_s)
        values = _before(values, rows.mean(axis=0), steps, nodes_kwh)
    above_kwh = soc_kwh - battery.soc_min * battery.energy_kwh
    return float(np.interp(above_kwh, nodes_kwh, values))


def _before(values: Array, cases: Array, steps: StorageSteps, nodes_kwh: Array) -> Array:
    """Values before a step from those after it."""
    charge, discharge = (Shift.of(nodes_kwh, kwh) for kwh in (steps.charge_kwh, -steps.discharge_kwh))
    price = cases[:, None]
    after = np.broadcast_to(values, (len(cases), NODES))
    found = interval_values(after, steps.buying(price), steps.selling(price), charge, discharge)
    return np.asarray(np.array(CASE_ODDS) @ found)
