"""What net load says of the prices ahead: where it is, how it moved, and its usual course from here.

Invariants:
    A row uses net load of earlier intervals alone. Everything is a multiple of the net load's level.
"""

from typing import Final

import numpy as np
import pandas as pd

from grid.storage_value import Array

DAY_H: Final = 24
LEVEL_DAYS: Final = 14
PROFILE_DAYS: Final = 7
CHANGES_H: Final = (0.5, 1.0, 3.0, 6.0, 24.0, 168.0)
RANGE_DAYS: Final = (1, 7, 28)
COURSE_H: Final = (1, 2, 3, 4, 6, 8, 12, 16, 20)
LOAD_PEAK: Final = "load_peak_12h"
"""Signal: highest net load expected within 12 hours, as a share of the top of the last 28 days."""


def load_signals(net_load: Array, per_hour: int) -> dict[str, Array]:
    """Signals of every interval.

    Args:
        net_load: of every interval, in any unit; NaN is missing. Gaps up to an hour repeat the last value.
        per_hour: intervals an hour.
    """
    day = DAY_H * per_hour
    past = pd.Series(net_load).shift(1).ffill(limit=per_hour)
    level = past.abs().rolling(LEVEL_DAYS * day, min_periods=day).median()
    level = level.where(level > 0)
    hour = past.rolling(per_hour, min_periods=1).mean()
    found = {"load_last": past, "load_mean_1h": hour}
    for span_h in CHANGES_H:
        found[f"load_change_{span_h:g}h"] = past - past.shift(max(1, round(span_h * per_hour)))
    days = past.rolling(day, min_periods=per_hour).mean()
    found["load_day_change"] = days - days.shift(day)
    for span in RANGE_DAYS:
        rolling = past.rolling(span * day, min_periods=day // 2)
        found[f"load_below_max_{span}d"] = rolling.max() - past
        found[f"load_above_min_{span}d"] = past - rolling.min()
    course = {ahead: _usual(hour, ahead * per_hour, day) for ahead in range(DAY_H + 1)}
    found["load_unusual"] = hour - course[0]
    for ahead in COURSE_H:
        found[f"load_course_{ahead}h"] = course[ahead] - course[0]
    ratios = {name: series / level for name, series in found.items()}
    top = past.rolling(RANGE_DAYS[-1] * day, min_periods=day).max()
    usual = pd.concat([course[ahead] for ahead in range(1, DAY_H + 1)], axis=1)
    whole = usual.add(hour - course[0], axis=0)
    ratios["load_of_top"] = past / top
    ratios[LOAD_PEAK] = whole.iloc[:, :12].max(axis=1) / top
    ratios["load_peak_24h"] = whole.max(axis=1) / top
    ratios["load_trough_24h"] = whole.min(axis=1) / top
    return {name: np.asarray(series.to_numpy(np.float64)) for name, series in ratios.items()}


def _usual(hour: pd.Series, ahead: int, day: int) -> pd.Series:
    """Mean of the last seven days so many intervals after this time of the day."""
    shifts = [hour.shift(back * day - ahead) for back in range(1, PROFILE_DAYS + 1)]
    return pd.concat(shifts, axis=1).mean(axis=1)
