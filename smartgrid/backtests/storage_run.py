"""Play levels of stored energy against prices: the schedule and what it earned."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from grid.storage_value import Array, StorageSteps, TradeLevels
from grid.units import KW_PER_MW, SECONDS_PER_HOUR
from policies.storage_bid import TradeRoom, meter_power_kw


@dataclass(frozen=True)
class StorageRun:
    """What a battery did.

    Attributes:
        power_kw: mean at the meter, positive discharges.
        soc_kwh: at each interval's end.
        profit: in the prices' currency, wear taken off; energy left at the end is worth nothing.
        cycles: energy taken out of the cells / capacity.
    """

    power_kw: Array
    soc_kwh: Array
    profit: float
    cycles: float

    def schedule(self, index: pd.DatetimeIndex, price: Array) -> pd.DataFrame:
        """Rows of ``schedule.csv``."""
        columns = {"power_kw": self.power_kw, "soc_kwh": self.soc_kwh, "price_usd_per_mwh": price}
        return pd.DataFrame({"ts_utc": index, **columns})


def run_levels(price: Array, levels: TradeLevels, steps: StorageSteps, interval_s: float) -> StorageRun:
    """Start half full and follow the levels; no trade where the price is missing."""
    room = TradeRoom.of(steps)
    soc_kwh = np.empty(len(price) + 1)
    soc_kwh[0] = steps.energy_kwh / 2
    for at in range(len(price)):
        held = np.isnan(price[at])
        low, high = float(levels.charge_to[at]), float(levels.discharge_to[at])
        soc_kwh[at + 1] = soc_kwh[at] if held else room.after(float(soc_kwh[at]), low, high)
    power_kw = np.array(
        [meter_power_kw(before, after, steps, interval_s) for before, after in pairwise(soc_kwh.tolist())]
    )
    mwh = power_kw * interval_s / SECONDS_PER_HOUR / KW_PER_MW
    earned = np.nansum(price * mwh) - steps.wear_usd_per_mwh * mwh[mwh > 0].sum()
    taken_kwh = np.maximum(0.0, -np.diff(soc_kwh)).sum()
    return StorageRun(power_kw, soc_kwh[1:], float(earned), float(taken_kwh / steps.energy_kwh))
