"""The forecaster's inputs at event time t: recent changes, the same time of past days, level, calendar.

Invariants:
    A row rests on stamps up to t alone. Every number comes from elementwise operations in a fixed
    order, or from exact sums, so that a row's bits do not depend on how rows are batched.
    Missing is NaN.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices, Micros
from pipeline.errors import FeatureError
from pipeline.features import nearest, values_at
from pipeline.fixed_point import QUANTA_PER_KW, to_quanta
from pipeline.forecasting.memory import DAY_US, DAYS, SlotGrid, Slots, SlotSeries
from pipeline.forecasting.observations import Observations
from pipeline.forecasting.seasonal import (
    MINUTE_US,
    PAST_WINDOWS_MIN,
    RECENT_MIN,
    NoSlots,
    Past,
    as_of_us,
    mean_of,
    seasonal_inputs,
)
from pipeline.local_time import day_of_year, local_us, weekday
from pipeline.timestamps import MICROS_PER_SECOND

LAGS: Final = 12
LONGEST_HORIZON_S: Final = 4 * 3600.0
"""Four times as far ahead, the day before, is still well before t."""
NET: Final = "net"
_CLEAR_SKY_LIMIT: Final = 1.5

Memories = Mapping[str, Slots]
"""Seasonal memories by channel: ``net``, and ``load``, ``solar``, ``wind`` where the site has them."""


@dataclass(frozen=True)
class RowLayout:
    """What a row is made for.

    Attributes:
        cadence_s: the site's nominal cadence in seconds.
        horizon_s: how far ahead the change is, in seconds; not below the cadence.
        site_tz: IANA time zone of the site's local day.
        components: channels beside the net load, out of ``load``, ``solar``, ``wind``.

    Raises:
        FeatureError: where horizon and cadence do not fit.
    """

    cadence_s: float
    horizon_s: float
    site_tz: str
    components: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        SlotGrid.of_cadence(self.cadence_s)
        if not self.cadence_s <= self.horizon_s <= LONGEST_HORIZON_S:
            raise FeatureError(
                f"horizon_s: {self.horizon_s:g}; choose one from the cadence ({self.cadence_s:g} s) to 4 h"
            )

    @property
    def cadence_us(self) -> int:
        """The cadence in microseconds."""
        return round(self.cadence_s * MICROS_PER_SECOND)

    @property
    def horizon_us(self) -> int:
        """The horizon in microseconds."""
        return round(self.horizon_s * MICROS_PER_SECOND)

    @cached_property
    def families(self) -> dict[str, str]:
        """Input → feature family, in the order of a row's columns."""
        empty = np.empty(0)
        seen = Observations(empty.astype(np.int64), empty, dict.fromkeys(self.components, empty))
        blank = NoSlots(SlotGrid.of_cadence(self.cadence_s))
        columns = _columns(
            seen, dict.fromkeys((NET, *self.components), blank), np.empty(0, dtype=np.intp), self
        )
        return {name: family for family, found in columns.items() for name in found}

    @property
    def names(self) -> tuple[str, ...]:
        """A row's columns. Names that end in ``_kw`` are powers."""
        return tuple(self.families)


def memories_of(seen: Observations, cadence_s: float) -> Memories:
    """Seasonal memories of a whole series: of its net load, and of the components that it has."""
    grid = SlotGrid.of_cadence(cadence_s)
    channels = {NET: seen.net_load_kw, **seen.components_kw}
    return {name: SlotSeries(seen.ts_us, kw, grid) for name, kw in channels.items()}


def forecast_rows(seen: Observations, memories: Memories, at: Indices, layout: RowLayout) -> Floats:
    """Rows of some observations.

    Args:
        seen: observations; for an exact row all within 30 minutes and 12.5 cadences before it.
        memories: seasonal memories that hold the values up to each row's stamp (later ones do no
            harm, they are not read).
        at: indices into ``seen``.
        layout: what the rows are for.

    Returns:
        One row per index, columns as ``layout.names``.
    """
    columns = _columns(seen, memories, at, layout)
    return np.column_stack([column for found in columns.values() for column in found.values()])


@dataclass(frozen=True, slots=True)
class NetNow:
    """What the last half hour says of the net load, one entry a row.

    Attributes:
        ts_us: event times.
        level_kw: NL(t).
        lags_kw: NL(t − k·cadence), a column for each k from 1 on.
        mean_5min_kw, mean_30min_kw: rolling means.
        change_30min_kw: NL(t) − NL(t − 30 min).
    """

    ts_us: Micros
    level_kw: Floats
    lags_kw: Floats
    mean_5min_kw: Floats
    mean_30min_kw: Floats
    change_30min_kw: Floats


def net_columns(
    now: NetNow, seasonal: Mapping[str, Floats], calendar: Mapping[str, Floats]
) -> dict[str, Mapping[str, Floats]]:
    """A row's columns that rest on the net load and the calendar, by feature family.

    Args:
        now: the last half hour.
        seasonal: inputs by name, as :func:`pipeline.forecasting.seasonal.seasonal_inputs` gives them.
        calendar: columns by name, as :func:`calendar_columns` gives them.
    """
    return {
        "recent": _recent(now),
        "same time": {name: values for name, values in seasonal.items() if name.startswith("ahead_")},
        "excess": _excess(now, seasonal),
        "level": _level(now, seasonal),
        "calendar": calendar,
    }


def _columns(
    seen: Observations, memories: Memories, at: Indices, layout: RowLayout
) -> dict[str, Mapping[str, Floats]]:
    as_of = as_of_us(seen.ts_us[at], layout.cadence_us)
    seasonal = seasonal_inputs(memories[NET], as_of, layout.horizon_us)
    calendar = calendar_columns(seen.ts_us[at], layout.site_tz)
    columns = net_columns(_now(seen, at, layout), seasonal, calendar)
    for name in layout.components:
        columns[name] = _component(name, seen, at, memories[name], layout)
    return columns


def _now(seen: Observations, at: Indices, layout: RowLayout) -> NetNow:
    ts_us, kw = seen.ts_us, seen.net_load_kw
    lags = [_ago(ts_us, kw, at, layout, k * layout.cadence_us) for k in range(1, LAGS + 1)]
    sums = np.concatenate([[0], np.cumsum(to_quanta(kw))])
    means = []
    for minutes in (5, 30):
        first = np.searchsorted(ts_us, ts_us[at] - minutes * MINUTE_US, side="right")
        means.append((sums[at + 1] - sums[first]) / (at + 1 - first) / QUANTA_PER_KW)
    before_kw = _ago(ts_us, kw, at, layout, RECENT_MIN * MINUTE_US)
    return NetNow(ts_us[at], kw[at], np.column_stack(lags), means[0], means[1], kw[at] - before_kw)


def _ago(ts_us: Micros, kw: Floats, at: Indices, layout: RowLayout, before_us: int) -> Floats:
    """A channel's values so long before; NaN where none lies near."""
    return values_at(kw, nearest(ts_us, ts_us[at] - before_us, layout.cadence_us // 2))


def _recent(now: NetNow) -> dict[str, Floats]:
    found = {f"lag_{k}_kw": now.level_kw - now.lags_kw[:, k - 1] for k in range(1, LAGS + 1)}
    found["from_mean_5min_kw"] = now.level_kw - now.mean_5min_kw
    found["from_mean_30min_kw"] = now.level_kw - now.mean_30min_kw
    return found


def _excess(now: NetNow, seasonal: Mapping[str, Floats]) -> dict[str, Floats]:
    """Changes so far against those of the same time: what was forecast wrongly until now."""
    found = {}
    for minutes in PAST_WINDOWS_MIN:
        recent = minutes == RECENT_MIN
        change = now.change_30min_kw if recent else now.level_kw - seasonal[f"ago_{minutes}min_kw"]
        mean = seasonal[f"change_{minutes}min_mean_7d_kw"]
        found[f"change_{minutes}min_kw"] = change
        found[f"change_{minutes}min_mean_7d_kw"] = mean
        found[f"excess_{minutes}min_kw"] = change - mean
        found[f"excess_{minutes}min_1d_kw"] = change - seasonal[f"change_{minutes}min_1d_kw"]
        found[f"excess_{minutes}min_7d_kw"] = change - seasonal[f"change_{minutes}min_7d_kw"]
        if recent:
            found["change_30min_spread_7d_kw"] = seasonal["change_30min_spread_7d_kw"]
    return found


def _level(now: NetNow, seasonal: Mapping[str, Floats]) -> dict[str, Floats]:
    mean, ahead = seasonal["day_mean_7d_kw"], seasonal["ahead_mean_7d_kw"]
    missing = np.full(len(mean), np.nan)
    ratio = np.divide(now.level_kw, mean, out=missing, where=np.abs(mean) > 1e-9)
    return {
        "above_1d_kw": now.level_kw - seasonal["day_1_kw"],
        "above_7d_kw": now.level_kw - seasonal["day_7_kw"],
        "above_mean_7d_kw": now.level_kw - mean,
        "ahead_scaled_kw": (np.clip(ratio, 0.0, 3.0) - 1.0) * ahead,
        "level_kw": now.level_kw,
    }


def calendar_columns(ts_us: Micros, site_tz: str) -> dict[str, Floats]:
    """Place in the day, week and year, in the site's time zone.

    Sines by the C library's scalar functions: vectorised ones may differ in the last bit with the
    place of a value in its array.
    """
    stamps, places = np.unique(ts_us, return_inverse=True)
    local = local_us(stamps, site_tz)
    day = (local % DAY_US) / DAY_US
    year = day_of_year(local) / 365.25
    of_week = weekday(local)
    found = {"day_part": day}
    for name, part, waves in (("day", day, 1), ("day", day, 2), ("year", year, 1)):
        angles = (2.0 * math.pi * waves * part).tolist()
        found[f"{name}_sin_{waves}"] = np.array([math.sin(angle) for angle in angles], dtype=np.float64)
        found[f"{name}_cos_{waves}"] = np.array([math.cos(angle) for angle in angles], dtype=np.float64)
    found["weekday"] = of_week.astype(np.float64)
    for name, which in (("monday", 0), ("friday", 4), ("saturday", 5), ("sunday", 6)):
        found[name] = (of_week == which).astype(np.float64)
    return {name: values[places] for name, values in found.items()}


def _component(
    name: str, seen: Observations, at: Indices, memory: Slots, layout: RowLayout
) -> dict[str, Floats]:
    ts_us, kw = seen.ts_us, seen.components_kw[name]
    past = Past(memory, as_of_us(ts_us[at], layout.cadence_us), layout.horizon_us)
    now_kw, recent_us = kw[at], RECENT_MIN * MINUTE_US
    recent = now_kw - _ago(ts_us, kw, at, layout, recent_us)
    found = {
        f"{name}_kw": now_kw,
        f"{name}_lag_1_kw": now_kw - _ago(ts_us, kw, at, layout, layout.cadence_us),
        f"{name}_change_30min_kw": recent,
        f"{name}_change_60min_kw": now_kw - past.ago(2 * recent_us),
        f"{name}_change_120min_kw": now_kw - past.ago(4 * recent_us),
    }
    if name == "wind":  # it has no daily course worth remembering
        return found
    found[f"{name}_ahead_mean_7d_kw"] = mean_of(past.changes(0, layout.horizon_us))
    found[f"{name}_excess_30min_kw"] = recent - mean_of(past.changes(-recent_us, 0))
    return {**found, **_clear_sky(past, now_kw)} if name == "solar" else found


def _clear_sky(past: Past, now_kw: Floats) -> dict[str, Floats]:
    """The envelope of the last 14 days now and at the horizon, and what it lets expect."""
    now, then = (
        np.fmax.reduce([past.ago(day * DAY_US - ahead_us) for day in range(1, DAYS + 1)])
        for ahead_us in (0, past.horizon_us)
    )
    ratio = np.divide(now_kw, now, out=np.full(len(now), np.nan), where=now > 0)
    clear = np.clip(ratio, 0.0, _CLEAR_SKY_LIMIT)
    return {
        "solar_envelope_kw": now,
        "solar_envelope_ahead_kw": then,
        "solar_clear_share": clear,
        "solar_ahead_scaled_kw": np.where(np.isnan(clear), 0.0, clear) * (then - now),
    }
