"""The features at event time t: one kernel for training, backtests and the stream.

Invariants:
    A row depends on the site's observations up to t alone, and on their values, not on how they
    arrived: every number comes from the same operations in the same order for any batching, so
    rows are equal bit for bit. Windows are reduced from their values, one window per row of a
    C-contiguous array (mean first, then squared deviations); nothing is kept incrementally.
    Only observations with a net load count. What is missing is NaN.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grid.series import BaseSeries
from pipeline.errors import FeatureError
from pipeline.timestamps import MICROS_PER_SECOND

Floats = NDArray[np.float64]
Micros = NDArray[np.int64]
Indices = NDArray[np.intp]

LAGS: Final = 12
WINDOWS_S: Final = (300, 1800)
LAG_NAMES: Final = tuple(f"lag_{k}_kw" for k in range(1, LAGS + 1))
ROLLING_NAMES: Final = ("mean_5min_kw", "std_5min_kw", "mean_30min_kw", "std_30min_kw")
FEATURE_NAMES: Final = (
    *LAG_NAMES,
    *ROLLING_NAMES,
    "gradient_kw_per_min",
    "penetration",
    "hour_sin",
    "hour_cos",
)
_ROLLING_AT: Final = LAGS
_GRADIENT_AT: Final = LAGS + len(ROLLING_NAMES)
_WINDOW_CELLS: Final = 500_000
"""How many window values are gathered at once: bounds the memory, changes no result."""


@dataclass(frozen=True)
class SiteEvents:
    """Observations of one site as arrays.

    Invariants:
        ``ts_us`` (microseconds since 1970 UTC) is sorted and unique, all arrays have its length,
        and ``net_load_kw`` holds no NaN; the other channels may (kW).
    """

    ts_us: Micros
    net_load_kw: Floats
    load_kw: Floats
    solar_kw: Floats
    wind_kw: Floats

    def __len__(self) -> int:
        return len(self.ts_us)


def events_of(series: BaseSeries) -> SiteEvents:
    """The observations of a series that have a net load; an absent channel is missing."""
    frame = series.frame[series.frame["net_load_kw"].notna()]
    missing = np.full(len(frame), np.nan)
    index = pd.DatetimeIndex(frame.index).tz_convert("UTC").as_unit("us")

    def channel(name: str) -> Floats:
        return frame[name].to_numpy(dtype=np.float64) if name in frame else missing

    return SiteEvents(
        ts_us=index.asi8,
        net_load_kw=channel("net_load_kw"),
        load_kw=channel("load_kw"),
        solar_kw=channel("solar_kw"),
        wind_kw=channel("wind_kw"),
    )


def feature_rows(events: SiteEvents, at: Indices, *, cadence_s: float, site_tz: str) -> Floats:
    """Feature rows of some events.

    Args:
        events: all observations that a row may rest on; for an exact row everything within 30
            minutes and 12.5 cadences before its event.
        at: indices into ``events`` of the events to compute rows for.
        cadence_s: the site's nominal cadence in seconds.
        site_tz: the site's IANA time zone, for the hour.

    Returns:
        One row per index, columns as in :data:`FEATURE_NAMES`.

    Raises:
        FeatureError: if ``cadence_s`` is not positive.
    """
    if cadence_s <= 0:
        raise FeatureError(f"cadence_s: {cadence_s}; give the seconds between pulses")
    rows = np.full((len(at), len(FEATURE_NAMES)), np.nan)
    if len(at) == 0:
        return rows
    cadence_us = round(cadence_s * MICROS_PER_SECOND)
    for k in range(1, LAGS + 1):
        found = nearest(events.ts_us, events.ts_us[at] - k * cadence_us, cadence_us // 2)
        rows[:, k - 1] = values_at(events.net_load_kw, found)
    for place, window_s in enumerate(WINDOWS_S):
        column = _ROLLING_AT + 2 * place
        rows[:, column], rows[:, column + 1] = _window_stats(events, at, window_s * MICROS_PER_SECOND)
    rows[:, _GRADIENT_AT] = _gradient(events, at)
    rows[:, _GRADIENT_AT + 1] = _penetration(events, at)
    rows[:, _GRADIENT_AT + 2], rows[:, _GRADIENT_AT + 3] = _hour(events.ts_us[at], site_tz)
    return rows


def nearest(ts_us: Micros, wanted_us: Micros, tolerance_us: int) -> Indices:
    """For each wanted time the index of the nearest stamp within the tolerance, else −1.

    Of two equally near, the earlier one.
    """
    if len(ts_us) == 0:
        return np.full(len(wanted_us), -1, dtype=np.intp)
    after = np.minimum(np.searchsorted(ts_us, wanted_us), len(ts_us) - 1)
    before = np.maximum(after - 1, 0)
    nearer_before = np.abs(wanted_us - ts_us[before]) <= np.abs(ts_us[after] - wanted_us)
    found = np.where(nearer_before, before, after)
    return np.asarray(np.where(np.abs(ts_us[found] - wanted_us) <= tolerance_us, found, -1))


def values_at(values: Floats, found: Indices) -> Floats:
    """Values at indices; NaN where the index is −1."""
    if len(values) == 0:
        return np.full(len(found), np.nan)
    return np.asarray(np.where(found >= 0, values[found], np.nan))


def _window_stats(events: SiteEvents, at: Indices, window_us: int) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation (n − 1) of the net load over (t − window, t]."""
    first = np.searchsorted(events.ts_us, events.ts_us[at] - window_us, side="right")
    lengths = at - first + 1
    mean, deviation = np.full(len(at), np.nan), np.full(len(at), np.nan)
    for length in np.unique(lengths):
        of_length = np.flatnonzero(lengths == length)
        chunk = max(1, _WINDOW_CELLS // int(length))
        for begin in range(0, len(of_length), chunk):
            rows = of_length[begin : begin + chunk]
            windows = events.net_load_kw[first[rows, None] + np.arange(length)]
            mean[rows], deviation[rows] = _reduce(np.ascontiguousarray(windows))
    return mean, deviation


def _reduce(windows: Floats) -> tuple[Floats, Floats]:
    """Mean and sample deviation of each row; NaN deviation for fewer than two points."""
    length = windows.shape[1]
    mean: Floats = np.add.reduce(windows, axis=1) / length
    if length < 2:
        return mean, np.full(len(mean), np.nan)
    from_mean = windows - mean[:, None]
    squares = np.multiply(from_mean, from_mean, out=from_mean)
    return mean, np.sqrt(np.add.reduce(squares, axis=1) / (length - 1))


def _gradient(events: SiteEvents, at: Indices) -> Floats:
    """Change against the previous observation in kW per minute; NaN for the first."""
    before = np.maximum(at - 1, 0)
    minutes = (events.ts_us[at] - events.ts_us[before]) / (60 * MICROS_PER_SECOND)
    change_kw = events.net_load_kw[at] - events.net_load_kw[before]
    gradient: Floats = np.divide(change_kw, minutes, out=np.full(len(at), np.nan), where=minutes > 0)
    return gradient


def _penetration(events: SiteEvents, at: Indices) -> Floats:
    """(solar + wind) / load; NaN where a part is missing or the load is not positive."""
    load_kw = events.load_kw[at]
    renewable_kw = events.solar_kw[at] + events.wind_kw[at]
    share: Floats = np.divide(renewable_kw, load_kw, out=np.full(len(at), np.nan), where=load_kw > 0)
    return share


def _hour(ts_us: Micros, site_tz: str) -> tuple[list[float], list[float]]:
    """Sine and cosine of the fractional local hour.

    By the scalar functions of the C library: vectorised ones may differ in the last bit with
    the place of a value in its array.
    """
    local = pd.DatetimeIndex(ts_us.astype("datetime64[us]")).tz_localize("UTC").tz_convert(site_tz)
    of_day_us = local.tz_localize(None).asi8 % (86_400 * MICROS_PER_SECOND)
    angles = of_day_us * (2.0 * math.pi / (86_400 * MICROS_PER_SECOND))
    return [math.sin(angle) for angle in angles], [math.cos(angle) for angle in angles]
