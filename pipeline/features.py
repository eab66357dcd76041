"""The features at event time t: one kernel for training, backtests and the stream.

Invariants:
    A row depends on the site's observations up to t alone, and on their values, not on how they
    arrived. Net load enters as whole numbers of 1/1024 kW (:mod:`pipeline.fixed_point`), so that
    the window sums which the stream keeps incrementally equal those computed here: rows are equal
    bit for bit in any batching. Only observations with a net load count. What is missing is NaN.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from pipeline.arrays import Floats, Indices, Integers, Micros
from pipeline.errors import FeatureError
from pipeline.fixed_point import WindowSums, mean_and_deviation, to_kw, to_quanta
from pipeline.local_time import local_us
from pipeline.timestamps import MICROS_PER_SECOND, to_millis

if TYPE_CHECKING:  # a stream rests on arrays alone; whoever has frames has imported pandas
    import pandas as pd

    from grid.series import BaseSeries

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
ROLLING_AT: Final = LAGS
_RAMP_US: Final = 1800 * MICROS_PER_SECOND
GRADIENT_AT: Final = LAGS + len(ROLLING_NAMES)


@dataclass(frozen=True)
class SiteEvents:
    """Observations of one site as arrays.

    Invariants:
        ``ts_us`` (microseconds since 1970 UTC, whole milliseconds) is sorted and unique, all arrays
        have its length, and ``net_load_kw`` holds no NaN; the other channels may (kW).
    """

    ts_us: Micros
    net_load_kw: Floats
    load_kw: Floats
    solar_kw: Floats
    wind_kw: Floats

    def __len__(self) -> int:
        return len(self.ts_us)


def events_of(series: "BaseSeries") -> SiteEvents:
    """The observations of a series that have a net load; an absent channel is missing."""
    frame = series.frame[series.frame["net_load_kw"].notna()]
    missing = np.full(len(frame), np.nan)
    index = cast("pd.DatetimeIndex", frame.index).tz_convert("UTC").as_unit("us")

    def channel(name: str) -> Floats:
        return frame[name].to_numpy(dtype=np.float64) if name in frame else missing

    return SiteEvents(
        ts_us=index.asi8 // 1000 * 1000,
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
    cadence_us = 1000 * to_millis(cadence_s)
    quanta = to_quanta(events.net_load_kw)
    net_load_kw = to_kw(quanta)
    ts_us = events.ts_us[at]
    for k in range(1, LAGS + 1):
        found = nearest(events.ts_us, ts_us - k * cadence_us, cadence_us // 2)
        rows[:, k - 1] = values_at(net_load_kw, found)
    sums = WindowSums.of_values(quanta)
    for place, window_s in enumerate(WINDOWS_S):
        column = ROLLING_AT + 2 * place
        first = np.searchsorted(events.ts_us, ts_us - window_s * MICROS_PER_SECOND, side="right")
        rows[:, column], rows[:, column + 1] = mean_and_deviation(at - first + 1, _between(sums, first, at))
    before = np.maximum(at - 1, 0)
    rows[:, GRADIENT_AT] = gradient(quanta[at] - quanta[before], ts_us - events.ts_us[before])
    rows[:, GRADIENT_AT + 1] = penetration(events.load_kw[at], events.solar_kw[at], events.wind_kw[at])
    rows[:, GRADIENT_AT + 2 :] = hour(ts_us, site_tz)
    return rows


def ramp_kw(events: SiteEvents, at: int, *, cadence_s: float) -> float:
    """NL(t) − NL(t − 30 min) of one event in kW, in whole 1/1024 kW; NaN where the earlier one is missing.

    Args:
        events: as for :func:`feature_rows`.
        at: index of the event.
        cadence_s: the site's nominal cadence in seconds.
    """
    cadence_us = 1000 * to_millis(cadence_s)
    before = nearest(events.ts_us, events.ts_us[at : at + 1] - _RAMP_US, cadence_us // 2)
    net_load_kw = to_kw(to_quanta(events.net_load_kw))
    return float((net_load_kw[at : at + 1] - values_at(net_load_kw, before))[0])


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


def _between(sums: WindowSums, first: Indices, last: Indices) -> WindowSums:
    """Sums over the values ``first … last`` of each pair of indices."""

    def part(values: Integers) -> Integers:
        before = np.concatenate([[0], np.cumsum(values)])
        return np.asarray(before[last + 1] - before[first])

    return WindowSums(part(sums.total), part(sums.squares), part(sums.high))


def gradient(change_quanta: Integers, elapsed_us: Micros) -> Floats:
    """Change against the previous observation in kW per minute; NaN where no time has passed."""
    minutes = elapsed_us / (60 * MICROS_PER_SECOND)
    missing = np.full(len(minutes), np.nan)
    return np.asarray(np.divide(to_kw(change_quanta), minutes, out=missing, where=elapsed_us > 0))


def penetration(load_kw: Floats, solar_kw: Floats, wind_kw: Floats) -> Floats:
    """(solar + wind) / load; NaN where a part is missing, the load not positive, or the share no number."""
    missing = np.full(len(load_kw), np.nan)
    with np.errstate(over="ignore"):
        share = np.divide(solar_kw + wind_kw, load_kw, out=missing, where=load_kw > 0)
    return np.asarray(np.where(np.isfinite(share), share, np.nan))


def hour(ts_us: Micros, site_tz: str) -> Floats:
    """Sine and cosine of the fractional local hour, as two columns.

    By the scalar functions of the C library: vectorised ones may differ in the last bit with
    the place of a value in its array.
    """
    stamps, places = np.unique(ts_us, return_inverse=True)
    of_day_us = local_us(stamps, site_tz) % (86_400 * MICROS_PER_SECOND)
    angles = (of_day_us * (2.0 * math.pi / (86_400 * MICROS_PER_SECOND))).tolist()
    columns = np.array([list(map(math.sin, angles)), list(map(math.cos, angles))])
    return np.ascontiguousarray(columns.T[places])
