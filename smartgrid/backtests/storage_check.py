"""Whether a schedule keeps the battery's limits, found from its rows alone."""

from typing import Final

import numpy as np
import pandas as pd

from grid.storage_value import Array, StorageSteps
from grid.units import SECONDS_PER_HOUR

TOLERANCE_KWH: Final = 1e-6


def broken_rows(schedule: pd.DataFrame, steps: StorageSteps, interval_s: float) -> int:
    """How many rows break a limit: power, capacity, energy balance, or a trade without a price.

    Args:
        schedule: rows of ``schedule.csv``; the battery starts half full.
        steps: the battery's.
        interval_s: of a row.
    """
    meter_kwh = schedule["power_kw"].to_numpy() * interval_s / SECONDS_PER_HOUR
    soc_kwh: Array = schedule["soc_kwh"].to_numpy()
    taken_kwh = np.where(meter_kwh > 0, meter_kwh / steps.one_way, meter_kwh * steps.one_way)
    before = np.concatenate(([steps.energy_kwh / 2], soc_kwh[:-1]))
    broken = taken_kwh > steps.discharge_kwh + TOLERANCE_KWH
    broken |= taken_kwh < -steps.charge_kwh - TOLERANCE_KWH
    broken |= (soc_kwh < -TOLERANCE_KWH) | (soc_kwh > steps.energy_kwh + TOLERANCE_KWH)
    broken |= np.abs(before - taken_kwh - soc_kwh) > TOLERANCE_KWH
    broken |= schedule["price_usd_per_mwh"].isna().to_numpy() & (meter_kwh != 0)
    return int(broken.sum())
