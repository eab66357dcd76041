"""What one more stored MWh would have earned under a policy, interval by interval, over the past."""

from typing import Final

import numpy as np

from grid.storage_value import Array, Shift, StorageSteps, TradeLevels

FINE_NODES: Final = 41
TRUSTED_H: Final = 1.0
"""Hours over which what really followed gives way to what the first model expects."""


def policy_values(
    price: Array, levels: TradeLevels, expected: Array, steps: StorageSteps, per_hour: int
) -> Array:
    """Marginal values after each interval: what the policy's next steps earn, then what is expected.

    The derivative of the policy's own profit: where it stops at a level (or at full or empty), one more MWh
    is worth that interval's price; where it moves at full power or stands still, it is worth what it is
    worth afterwards. Going back, each interval replaces a share of that by the expected value, so that the
    noise of a far future does not enter.

    Args:
        price: at which each interval settled; NaN is an interval without trade.
        levels: the policy's, of each interval.
        expected: marginal values after each interval, (intervals, nodes); NaN rows are passed over.
        steps: the battery's.
        per_hour: intervals an hour.
    """
    fine = np.linspace(0.0, steps.energy_kwh, FINE_NODES)
    coarse = np.linspace(0.0, steps.energy_kwh, expected.shape[1])
    charge, discharge = Shift.of(fine, steps.charge_kwh), Shift.of(fine, -steps.discharge_kwh)
    buying, selling = steps.buying(price), steps.selling(price)
    share = min(1.0, 1.0 / (TRUSTED_H * per_hour))
    kept = (np.arange(expected.shape[1]) * (FINE_NODES - 1)) // (expected.shape[1] - 1)
    values, found = np.zeros(FINE_NODES), np.empty_like(expected, dtype=np.float64)
    for at in range(len(price) - 1, -1, -1):
        found[at] = values[kept]
        if not np.isnan(expected[at, 0]):
            values = (1.0 - share) * values + share * np.interp(fine, coarse, expected[at])
        if np.isnan(price[at]):
            continue
        low, high = levels.charge_to[at], levels.discharge_to[at]
        before = values
        if low > 0:
            full_power = fine < low - steps.charge_kwh
            before = np.where(full_power, charge.apply(values), np.where(fine < low, buying[at], before))
        if high < steps.energy_kwh:
            full_power = fine > high + steps.discharge_kwh
            before = np.where(full_power, discharge.apply(values), np.where(fine > high, selling[at], before))
        values = before
    return found
