"""What a trader knows at the start of each hour: the reference path ahead and how far prices stray from it.

Day-ahead prices are the reference where there are any: those of a local day are known from 12:00 of the
day before. Beyond them, and in a market without, the path repeats the last day known or the mean of the last
seven days at the same hour.
"""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from grid.storage_value import Array

AHEAD_H: Final = 36
PROFILE_DAYS: Final = 7
STRAY_DAYS: Final = 30
STRAY_BINS: Final = 9
HALVES: Final = 2
"""Steps of an hour in the stochastic plan."""
DAY_H: Final = 24
PUBLISHED_H: Final = 12
"""Local hour from which the next day's day-ahead prices are known."""


@dataclass(frozen=True)
class Hourly:
    """Known at the start of hour i, one row per hour.

    Attributes:
        path: reference price of hour i + k in column k; NaN where nothing is known.
        known: how many hours of the path are day-ahead prices.
        strays: mean of each ninth of the real-time price's deviations from its reference, ascending.
        level: median of |price| over the last 14 days: the scale of all values.
    """

    path: Array
    known: Array
    strays: Array
    level: Array


def hourly(price: Array, da: Array | None, start: pd.Timestamp, per_hour: int, zone: ZoneInfo) -> Hourly:
    """Everything hourly.

    Args:
        price: real-time, every interval from ``start`` (a whole hour, UTC); NaN is missing.
        da: day-ahead price of every hour, and of those ahead; None where the market has none.
        per_hour: intervals an hour.
        zone: of the local day.
    """
    hours = -(-len(price) // per_hour)
    padded = np.full(hours * per_hour, np.nan)
    padded[: len(price)] = price
    by_hour = padded.reshape(hours, per_hour)
    level = _level(price, hours, per_hour)
    hour_mean = _row_means(by_hour)
    if da is None:
        path, known = _profile_path(hour_mean), np.zeros(hours)
    else:
        path, known = _da_path(da, hours, start, zone)
    reference = path[:, 0]
    return Hourly(path, known, _strays(by_hour - reference[:, None], hours), level)


def _row_means(rows: Array) -> Array:
    count = np.sum(~np.isnan(rows), axis=1)
    return np.asarray(
        np.divide(np.nansum(rows, axis=1), count, out=np.full(len(rows), np.nan), where=count > 0)
    )


def _level(price: Array, hours: int, per_hour: int) -> Array:
    """Trailing median of |hourly mean|; that of the whole hours before this one."""
    whole = len(price) // per_hour
    means = _row_means(price[: whole * per_hour].reshape(whole, per_hour))
    median = pd.Series(np.abs(means)).rolling(14 * DAY_H, min_periods=DAY_H).median().to_numpy()
    level = np.full(hours, np.nan)
    level[1 : whole + 1] = median[: hours - 1]
    return np.asarray(np.maximum(level, 1.0))


def _profile_path(hour_mean: Array) -> Array:
    """Mean of the last seven days at the same hour, for 24 hours, then again."""
    hours = len(hour_mean)
    path = np.full((hours, AHEAD_H), np.nan)
    padded = np.concatenate((np.full(PROFILE_DAYS * DAY_H, np.nan), hour_mean, np.full(DAY_H, np.nan)))
    for k in range(DAY_H):
        past = np.stack(
            [padded[(PROFILE_DAYS - d) * DAY_H + k :][:hours] for d in range(1, PROFILE_DAYS + 1)]
        )
        path[:, k] = _row_means(past.T)
    path[:, DAY_H:] = path[:, : AHEAD_H - DAY_H]
    return path


def _da_path(da: Array, hours: int, start: pd.Timestamp, zone: ZoneInfo) -> tuple[Array, Array]:
    padded = np.concatenate((da, np.full(AHEAD_H, np.nan)))
    path = np.lib.stride_tricks.sliding_window_view(padded, AHEAD_H)[:hours].copy()
    known = _published_h(pd.date_range(start, periods=hours, freq="h"), zone)
    path[np.arange(AHEAD_H) >= known[:, None]] = np.nan
    for k in range(AHEAD_H):
        day_before = path[:, k - DAY_H] if k >= DAY_H else _shifted(da[:hours], DAY_H - k)
        path[:, k] = np.where(np.isnan(path[:, k]), day_before, path[:, k])
    return path, known


def _published_h(hours: pd.DatetimeIndex, zone: ZoneInfo) -> Array:
    """For how many hours from each on day-ahead prices are known: today's, from 12:00 tomorrow's, too."""
    local = hours.tz_convert(zone)
    days, which = np.unique(local.normalize(), return_inverse=True)
    midnights = pd.DatetimeIndex(days)
    ends = np.stack([(midnights + pd.DateOffset(days=ahead)).asi8 for ahead in (1, 2)])
    until = ends[(local.hour >= PUBLISHED_H).astype(np.intp), which]
    nanoseconds = (until - local.asi8) * pd.Timedelta(1, unit=local.unit).value
    return np.asarray(np.minimum(nanoseconds / 3.6e12, AHEAD_H))


def _shifted(values: Array, by: int) -> Array:
    out = np.full(len(values), np.nan)
    out[by:] = values[: len(values) - by]
    return out


def _strays(off: Array, hours: int) -> Array:
    """Once a day, from the deviations of the 30 days before it."""
    strays = np.full((hours, STRAY_BINS), np.nan)
    for first in range(DAY_H, hours, DAY_H):
        sample = np.sort(off[max(0, first - STRAY_DAYS * DAY_H) : first].ravel())
        sample = sample[~np.isnan(sample)]
        if len(sample) >= STRAY_BINS:
            strays[first : first + DAY_H] = [part.mean() for part in np.array_split(sample, STRAY_BINS)]
    return strays
