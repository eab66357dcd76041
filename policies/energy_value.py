"""What one more MWh in the battery is worth, by stochastic dynamic programming along expected prices."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from grid.assets import BatterySpec
from grid.storage_value import Array, Shift, StorageSteps, interval_values

NODES: Final = 21
CASE_ODDS: Final = (0.3, 0.4, 0.3)
"""Of a low, a middle and a high price."""
_ODDS: Final = np.array(CASE_ODDS)
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
    mean = float(np.mean(prices @ _ODDS))
    values = np.full(NODES, max(0.0, mean) / battery.one_way_efficiency)
    whole = len(prices) // size * size
    if whole < len(prices):
        last = _Move.of(battery, (len(prices) - whole) * interval_s, nodes_kwh)
        values = last.before(values, prices[np.newaxis, whole:].mean(axis=1))
    if whole:
        cases = prices[:whole].reshape(-1, size, len(_ODDS)).mean(axis=1)
        values = _Move.of(battery, size * interval_s, nodes_kwh).before(values, cases)
    above_kwh = soc_kwh - battery.soc_min * battery.energy_kwh
    return float(np.interp(above_kwh, nodes_kwh, values))


@dataclass(frozen=True)
class _Move:
    """What a full charge or discharge in a step of some length does; the same in all such steps."""

    steps: StorageSteps
    charge: Shift
    discharge: Shift

    @classmethod
    def of(cls, battery: BatterySpec, length_s: float, nodes_kwh: Array) -> "_Move":
        steps = StorageSteps.of(battery, length_s)
        charge, discharge = (Shift.of(nodes_kwh, kwh) for kwh in (steps.charge_kwh, -steps.discharge_kwh))
        return cls(steps, charge, discharge)

    def before(self, values: Array, cases: Array) -> Array:
        """Values before some steps from those after them; ``cases`` has each step's prices, a row each."""
        price = cases[:, :, np.newaxis]
        buying, selling = self.steps.buying(price), self.steps.selling(price)
        for at in range(len(cases) - 1, -1, -1):
            found = interval_values(values, buying[at], selling[at], self.charge, self.discharge)
            values = _ODDS @ found
        return values
