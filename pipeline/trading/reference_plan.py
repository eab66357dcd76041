"""Stochastic plan along the reference path: stored energy's worth if prices stray as they did lately."""

from typing import Final

import numpy as np

from grid.storage_value import Array, Shift, StorageSteps
from pipeline.trading.hourly import AHEAD_H, STRAY_BINS, Hourly

HALVES: Final = 2
"""Steps of an hour."""


def stochastic_values(known: Hourly, steps: StorageSteps, nodes_kwh: Array) -> Array:
    """Expected marginal value at each SoC node at the end of each hour's first interval.

    A backward recursion along the path where each half-hour's price strays independently.

    Args:
        known: of every hour.
        steps: of half an hour.
        nodes_kwh: the SoC grid.

    Returns:
        (hours, nodes), currency per MWh.
    """
    charge, discharge = Shift.of(nodes_kwh, steps.charge_kwh), Shift.of(nodes_kwh, -steps.discharge_kwh)
    values = np.zeros((len(known.path), len(nodes_kwh)))
    path = np.nan_to_num(known.path)
    strays = np.nan_to_num(known.strays)
    for k in range(AHEAD_H - 1, 0, -1):
        prices = path[:, k, None] + strays
        for _ in range(HALVES):
            total = np.zeros_like(values)
            up, down = charge.apply(values), discharge.apply(values)
            for j in range(STRAY_BINS):
                price = prices[:, j, None]
                bought = np.maximum(up, np.minimum(values, steps.buying(price)))
                total += np.minimum(down, np.maximum(bought, steps.selling(price)))
            values = total / STRAY_BINS
    return values
