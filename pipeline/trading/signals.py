"""What a bid for an interval rests on: everything known before it begins, as ratios to the price level.

Invariants:
    A row uses prices of earlier intervals, and day-ahead prices that are published, alone.
"""

from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.storage_value import Array
from pipeline.trading.hourly import Hourly

WINDOWS_H: Final = (0.25, 0.5, 1.0, 3.0, 6.0, 24.0)
LAGS: Final = (1, 2, 3, 6)
AHEAD_SPANS_H: Final = (2, 4, 8, 12, 24)
SPIKE: Final = 5.0
"""A price above this multiple of the level is a spike."""
SPIKES_H: Final = 12
SPIKES: Final = "spikes_12h"
"""Signal: mean of what prices of the last hours had above :data:`SPIKE`. Spikes come in clusters."""


def signals(
    price: Array, start: pd.Timestamp, per_hour: int, zone: ZoneInfo, known: Hourly
) -> dict[str, Array]:
    """All signals of all intervals; prices are multiples of the level."""
    hour = np.arange(len(price)) // per_hour
    level = known.level[hour]
    found = {
        **_recent(price, level, per_hour),
        **_ahead(known, hour, level),
        **_calendar(len(price), start, per_hour, zone),
    }
    reference = known.path[hour, 0]
    stray = pd.Series(price - reference)
    for span_h in (0.5, 1, 4, 24, 168):
        window = max(1, round(span_h * per_hour))
        mean = stray.rolling(window, min_periods=1).mean().shift(1).to_numpy()
        found[f"stray_mean_{span_h:g}h"] = mean / level
    found["stray_1"] = stray.shift(1).to_numpy() / level
    above = pd.Series(price / level - SPIKE).clip(lower=0.0).shift(1)
    found[SPIKES] = above.rolling(SPIKES_H * per_hour, min_periods=1).mean().to_numpy()
    found["profile_24h"] = _same_time(price, per_hour, level)
    found["level"] = level
    found["wear_level"] = 1.0 / level
    return found


def _recent(price: Array, level: Array, per_hour: int) -> dict[str, Array]:
    series = pd.Series(price)
    past = series.shift(1)
    found = {f"lag_{lag}": series.shift(lag).to_numpy() / level for lag in LAGS}
    for span_h in WINDOWS_H:
        window = round(span_h * per_hour)
        if window < 2:
            continue
        rolling = past.rolling(window, min_periods=1)
        found[f"mean_{span_h:g}h"] = rolling.mean().to_numpy() / level
        found[f"max_{span_h:g}h"] = rolling.max().to_numpy() / level
        if span_h >= 1:
            found[f"min_{span_h:g}h"] = rolling.min().to_numpy() / level
            found[f"std_{span_h:g}h"] = past.rolling(window, min_periods=2).std().to_numpy() / level
    for days in (1, 7):
        rolling = past.rolling(days * 24 * per_hour, min_periods=per_hour)
        for q in (0.1, 0.5, 0.9, 0.98):
            found[f"q{q:g}_{days}d"] = rolling.quantile(q).to_numpy() / level
    return found


def _same_time(price: Array, per_hour: int, level: Array) -> Array:
    """Mean of the coming hour a day ago."""
    mean = pd.Series(price).rolling(per_hour, min_periods=1).mean()
    return np.asarray(mean.shift(24 * per_hour - per_hour + 1).to_numpy() / level)


def _ahead(known: Hourly, hour: npt.NDArray[np.intp], level: Array) -> dict[str, Array]:
    path = known.path
    found: dict[str, Array] = {"known_h": known.known[hour]}
    for k in (0, 1, 2, 3, 4, 6):
        found[f"ahead_{k}"] = path[hour, k] / level
    filled = np.where(np.isnan(path), -np.inf, path)
    for span in AHEAD_SPANS_H:
        part = path[:, 1 : span + 1]
        with np.errstate(invalid="ignore"):
            found[f"ahead_max_{span}"] = np.max(part, axis=1)[hour] / level
            found[f"ahead_min_{span}"] = np.min(part, axis=1)[hour] / level
            found[f"ahead_mean_{span}"] = np.mean(part, axis=1)[hour] / level
            found[f"ahead_rank_{span}"] = np.mean(part > path[:, :1], axis=1)[hour]
    found["to_peak_h"] = np.argmax(filled[:, 1:25], axis=1)[hour].astype(np.float64)
    found["to_trough_h"] = np.argmin(np.where(np.isnan(path), np.inf, path)[:, 1:25], axis=1)[hour].astype(
        np.float64
    )
    return found


def _calendar(count: int, start: pd.Timestamp, per_hour: int, zone: ZoneInfo) -> dict[str, Array]:
    local = pd.date_range(start, periods=count, freq=pd.Timedelta(hours=1) / per_hour).tz_convert(zone)
    minute = local.minute.to_numpy(np.float64)
    year = 2 * np.pi * local.day_of_year.to_numpy(np.float64) / 365.25
    return {
        "hour": local.hour.to_numpy(np.float64) + minute / 60,
        "minute": minute,
        "weekday": local.day_of_week.to_numpy(np.float64),
        "year_sin": np.sin(year),
        "year_cos": np.cos(year),
    }
