"""The accounts' intervals: faster pulses are averaged, slower ones are intervals by themselves."""

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from grid.units import RAMP_WINDOW_S

SHORTEST_INTERVAL_S = 300.0
"""Setpoints, prices and penalties move at most every five minutes."""


def interval_length_s(cadence_s: float) -> float:
    """Length of an interval in seconds: five minutes, or the cadence where that is longer."""
    return max(SHORTEST_INTERVAL_S, cadence_s)


def interval_starts(series: BaseSeries) -> pd.DatetimeIndex:
    """For each row, the start of the interval that it lies in."""
    index = pd.DatetimeIndex(series.frame.index)
    length_s = interval_length_s(series.cadence_s)
    return index if series.cadence_s >= length_s else index.floor(pd.Timedelta(seconds=length_s))


def interval_means(series: BaseSeries) -> pd.DataFrame:
    """Means of every column over the intervals of a series, by interval start.

    Invariants:
        A mean rests on the values that are there; an interval without rows stays absent, and one
        whose values are all missing stays NaN. Rows no faster than an interval pass unchanged.
    """
    if series.cadence_s >= interval_length_s(series.cadence_s):
        return series.frame
    return series.frame.groupby(interval_starts(series)).mean()


def change_30min(net_load_kw: pd.Series) -> pd.Series:
    """Signed change of each interval's net load (kW) against the interval 30 minutes before.

    Invariants:
        Found by time, never by row: NaN where either end is missing or absent.
    """
    earlier = pd.DatetimeIndex(net_load_kw.index) - pd.Timedelta(seconds=RAMP_WINDOW_S)
    before_kw = net_load_kw.reindex(earlier).to_numpy(dtype=np.float64)
    return pd.Series(net_load_kw.to_numpy(dtype=np.float64) - before_kw, index=net_load_kw.index)
