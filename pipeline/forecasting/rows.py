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
import pandas as pd

from pipeline.arrays import Floats, Indices, Micros
from pipeline.errors import FeatureError
from pipeline.features import nearest, values_at
from pipeline.fixed_point import QUANTA_PER_KW, to_quanta
from pipeline.forecasting.memory import DAY_US, DAYS, SlotGrid, Slots, value_at
from pipeline.forecasting.observations import Observations
from pipeline.timestamps import MICROS_PER_SECOND

LAGS: Final = 12
LONGEST_HORIZON_S: Final = 4 * 3600.0
"""Four times as far ahead, the day before, is still well before t."""
NET: Final = "net"
_MINUTE_US: Final = 60 * MICROS_PER_SECOND
_WEEK: Final = 7
_PAST_WINDOWS_MIN: Final = (30, 60, 120, 180)
_RECENT_MIN: Final = 30
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
        blank = _NoSlots(SlotGrid.of_cadence(self.cadence_s))
        columns = _columns(
            seen, dict.fromkeys((NET, *self.components), blank), np.empty(0, dtype=np.intp), self
        )
        return {name: family for family, found in columns.items() for name in found}

    @property
    def names(self) -> tuple[str, ...]:
        """A row's columns. Names that end in ``_kw`` are powers."""
        return tuple(self.families)


@dataclass(frozen=True, slots=True)
class _NoSlots:
    grid: SlotGrid

    def means_kw(self, slots: Micros) -> Floats:
        return np.full(len(slots), np.nan)


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


def _columns(
    seen: Observations, memories: Memories, at: Indices, layout: RowLayout
) -> dict[str, dict[str, Floats]]:
    net = _Past(memories[NET], seen.ts_us[at], seen.net_load_kw[at], layout)
    columns = {
        "recent": _recent(seen, at, layout),
        "same time": _same_time(net),
        "excess": _excess(net, _change(seen.ts_us, seen.net_load_kw, at, layout, _RECENT_MIN * _MINUTE_US)),
        "level": _level(net),
        "calendar": _calendar(seen.ts_us[at], layout.site_tz),
    }
    for name in layout.components:
        columns[name] = _component(name, seen, at, memories[name], layout)
    return columns


class _Past:
    """A channel's values at the same time of past days, looked up once each."""

    def __init__(self, memory: Slots, ts_us: Micros, now_kw: Floats, layout: RowLayout) -> None:
        self.memory, self.ts_us, self.now_kw, self.layout = memory, ts_us, now_kw, layout
        self._found: dict[int, Floats] = {}

    def ago(self, before_us: int) -> Floats:
        """Values so long before t."""
        if before_us not in self._found:
            self._found[before_us] = value_at(self.memory, self.ts_us - before_us)
        return self._found[before_us]

    def changes(self, from_us: int, to_us: int, days: int = _WEEK) -> list[Floats]:
        """Changes from t + from to t + to, moved back by 1, 2, … days."""
        return [
            self.ago(day * DAY_US - to_us) - self.ago(day * DAY_US - from_us) for day in range(1, days + 1)
        ]


def _recent(seen: Observations, at: Indices, layout: RowLayout) -> dict[str, Floats]:
    ts_us, kw = seen.ts_us, seen.net_load_kw
    found = {f"lag_{k}_kw": _change(ts_us, kw, at, layout, k * layout.cadence_us) for k in range(1, LAGS + 1)}
    sums = np.concatenate([[0], np.cumsum(to_quanta(kw))])
    for minutes in (5, 30):
        first = np.searchsorted(ts_us, ts_us[at] - minutes * _MINUTE_US, side="right")
        mean = (sums[at + 1] - sums[first]) / (at + 1 - first) / QUANTA_PER_KW
        found[f"from_mean_{minutes}min_kw"] = kw[at] - mean
    return found


def _change(ts_us: Micros, kw: Floats, at: Indices, layout: RowLayout, over_us: int) -> Floats:
    """Change of a channel over the time before t; NaN where no value lies near its begin."""
    found = nearest(ts_us, ts_us[at] - over_us, layout.cadence_us // 2)
    return np.asarray(kw[at] - values_at(kw, found))


def _same_time(net: _Past) -> dict[str, Floats]:
    horizon_us, step_us = net.layout.horizon_us, net.memory.grid.slot_us
    changes = net.changes(0, horizon_us, DAYS)
    week, both = _mean(changes[:_WEEK]), _mean(changes)
    found = {
        "ahead_mean_7d_kw": week,
        "ahead_spread_7d_kw": _spread(changes[:_WEEK], week),
        "ahead_median_7d_kw": _median(changes[:_WEEK]),
        "ahead_mean_3d_kw": _mean(changes[:3]),
        "ahead_mean_14d_kw": both,
        "ahead_spread_14d_kw": _spread(changes, both),
        "ahead_same_weekday_kw": _mean([changes[6], changes[13]]),
        "ahead_1d_kw": changes[0],
        "ahead_7d_kw": changes[6],
    }
    for name, begin_us, end_us in (
        ("later", step_us, step_us + horizon_us),
        ("earlier", -step_us, horizon_us - step_us),
        ("half", 0, horizon_us // 2),
        ("after", horizon_us, 2 * horizon_us),
        ("far", 0, 4 * horizon_us),
    ):
        found[f"ahead_{name}_7d_kw"] = _mean(net.changes(begin_us, end_us))
    return found


def _excess(net: _Past, recent_kw: Floats) -> dict[str, Floats]:
    """Changes so far against those of the same time: what was forecast wrongly until now."""
    found = {}
    for minutes in _PAST_WINDOWS_MIN:
        over_us = minutes * _MINUTE_US
        now = recent_kw if minutes == _RECENT_MIN else net.now_kw - net.ago(over_us)
        past = net.changes(-over_us, 0)
        mean = _mean(past)
        found[f"change_{minutes}min_kw"] = now
        found[f"change_{minutes}min_mean_7d_kw"] = mean
        found[f"excess_{minutes}min_kw"] = now - mean
        found[f"excess_{minutes}min_1d_kw"] = now - past[0]
        found[f"excess_{minutes}min_7d_kw"] = now - past[6]
        if minutes == _RECENT_MIN:
            found["change_30min_spread_7d_kw"] = _spread(past, mean)
    return found


def _level(net: _Past) -> dict[str, Floats]:
    days = [net.ago(day * DAY_US) for day in range(1, _WEEK + 1)]
    mean = _mean(days)
    ahead = _mean(net.changes(0, net.layout.horizon_us))
    ratio = np.divide(net.now_kw, mean, out=np.full(len(mean), np.nan), where=np.abs(mean) > 1e-9)
    return {
        "above_1d_kw": net.now_kw - days[0],
        "above_7d_kw": net.now_kw - days[6],
        "above_mean_7d_kw": net.now_kw - mean,
        "ahead_scaled_kw": (np.clip(ratio, 0.0, 3.0) - 1.0) * ahead,
        "level_kw": net.now_kw,
    }


def _calendar(ts_us: Micros, site_tz: str) -> dict[str, Floats]:
    """Place in the day, week and year, in the site's time zone.

    Sines by the C library's scalar functions: vectorised ones may differ in the last bit with the
    place of a value in its array.
    """
    local = pd.DatetimeIndex(ts_us.astype("datetime64[us]")).tz_localize("UTC").tz_convert(site_tz)
    day = (local.tz_localize(None).asi8 % DAY_US) / DAY_US
    year = local.day_of_year.to_numpy() / 365.25
    weekday = local.day_of_week.to_numpy()
    found = {"day_part": day}
    for name, part, waves in (("day", day, 1), ("day", day, 2), ("year", year, 1)):
        angles = (2.0 * math.pi * waves * part).tolist()
        found[f"{name}_sin_{waves}"] = np.array([math.sin(angle) for angle in angles], dtype=np.float64)
        found[f"{name}_cos_{waves}"] = np.array([math.cos(angle) for angle in angles], dtype=np.float64)
    found["weekday"] = weekday.astype(np.float64)
    for name, which in (("monday", 0), ("friday", 4), ("saturday", 5), ("sunday", 6)):
        found[name] = (weekday == which).astype(np.float64)
    return found


def _component(
    name: str, seen: Observations, at: Indices, memory: Slots, layout: RowLayout
) -> dict[str, Floats]:
    ts_us, kw = seen.ts_us, seen.components_kw[name]
    past = _Past(memory, ts_us[at], kw[at], layout)
    recent_us = _RECENT_MIN * _MINUTE_US
    recent = _change(ts_us, kw, at, layout, recent_us)
    found = {
        f"{name}_kw": past.now_kw,
        f"{name}_lag_1_kw": _change(ts_us, kw, at, layout, layout.cadence_us),
        f"{name}_change_30min_kw": recent,
        f"{name}_change_60min_kw": past.now_kw - past.ago(2 * recent_us),
        f"{name}_change_120min_kw": past.now_kw - past.ago(4 * recent_us),
    }
    if name == "wind":  # it has no daily course worth remembering
        return found
    found[f"{name}_ahead_mean_7d_kw"] = _mean(past.changes(0, layout.horizon_us))
    found[f"{name}_excess_30min_kw"] = recent - _mean(past.changes(-recent_us, 0))
    return {**found, **_clear_sky(past, layout)} if name == "solar" else found


def _clear_sky(past: _Past, layout: RowLayout) -> dict[str, Floats]:
    """The envelope of the last 14 days now and at the horizon, and what it lets expect."""
    now, then = (
        np.fmax.reduce([past.ago(day * DAY_US - ahead_us) for day in range(1, DAYS + 1)])
        for ahead_us in (0, layout.horizon_us)
    )
    ratio = np.divide(past.now_kw, now, out=np.full(len(now), np.nan), where=now > 0)
    clear = np.clip(ratio, 0.0, _CLEAR_SKY_LIMIT)
    return {
        "solar_envelope_kw": now,
        "solar_envelope_ahead_kw": then,
        "solar_clear_share": clear,
        "solar_ahead_scaled_kw": np.where(np.isnan(clear), 0.0, clear) * (then - now),
    }


def _mean(values: list[Floats]) -> Floats:
    """Mean of what is there, added in order."""
    total, count = np.zeros(len(values[0])), np.zeros(len(values[0]))
    for value in values:
        known = ~np.isnan(value)
        total = total + np.where(known, value, 0.0)
        count = count + known
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def _spread(values: list[Floats], mean: Floats) -> Floats:
    """Sample standard deviation of what is there; NaN for fewer than two."""
    total, count = np.zeros(len(mean)), np.zeros(len(mean))
    for value in values:
        known = ~np.isnan(value)
        total = total + np.where(known, (value - mean) ** 2, 0.0)
        count = count + known
    variance = np.divide(total, count - 1, out=np.full(len(count), np.nan), where=count > 1)
    return np.asarray(np.sqrt(variance))


def _median(values: list[Floats]) -> Floats:
    """The lower median of what is there."""
    ordered = np.sort(np.stack(values), axis=0)  # NaN last
    count = np.sum(~np.isnan(ordered), axis=0)
    middle = np.maximum((count - 1) // 2, 0)
    return np.asarray(np.take_along_axis(ordered, middle[None], axis=0)[0])
