"""A site's channels on a regular grid of rows: what the detectors read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from grid.series import POWER_CHANNELS, BaseSeries
from pipeline.fdia.balance import balance_sides
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.layout import DAY_S, DAYS, Booleans, Floats, Integers

LONGEST_GAP_DAYS: Final = DAYS + 1
"""No row looks back across so many days."""


@dataclass(frozen=True)
class RegularSeries:
    """Rows at an even cadence; absent ones are NaN, or not there (:meth:`without_long_gaps`).

    Attributes:
        stamps: start of each row, UTC.
        cadence_s: seconds between rows.
        channels: names such as ``load_kw``.
        values_kw: channel × row.
    """

    stamps: pd.DatetimeIndex
    cadence_s: float
    channels: tuple[str, ...]
    values_kw: Floats

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def known(self) -> Booleans:
        """Rows in which a channel was measured."""
        return np.asarray(~np.isnan(self.values_kw).all(axis=0))

    def part(self, first: int, end: int | None = None) -> "RegularSeries":
        """Rows [first, end)."""
        rows = slice(first, end)
        return RegularSeries(self.stamps[rows], self.cadence_s, self.channels, self.values_kw[:, rows])

    def without_long_gaps(self) -> "RegularSeries":
        """Of a gap its first days alone, so that years without a meter cost nothing to learn from."""
        rows = np.arange(len(self))
        since = rows - np.maximum.accumulate(np.where(self.known, rows, 0))
        kept = since * self.cadence_s <= LONGEST_GAP_DAYS * DAY_S
        return RegularSeries(self.stamps[kept], self.cadence_s, self.channels, self.values_kw[:, kept])

    def channel(self, name: str) -> Floats | None:
        """A channel's rows, None where it is absent."""
        return self.values_kw[self.channels.index(name)] if name in self.channels else None

    def balance_sides(self) -> tuple[Floats, Floats, Floats] | None:
        """Net load, load minus solar and wind, load; None unless net load and load have meters."""
        return balance_sides(self.channels, self.values_kw)


def measured_channels(frame: pd.DataFrame, named: Sequence[str] | None = None) -> tuple[str, ...]:
    """The power channels with a meter of their own.

    Args:
        frame: of a :class:`grid.series.BaseSeries`.
        named: columns that the source had (others were computed); all of the frame's by default.
    """
    own = [name for name in POWER_CHANNELS if name in frame and (named is None or name in named)]
    return tuple(name for name in own if frame[name].notna().any())


def to_regular(series: BaseSeries, channels: Sequence[str]) -> tuple[RegularSeries, Integers]:
    """Put rows on the grid.

    Args:
        series: the measurements.
        channels: which of its columns.

    Returns:
        The grid, and for each row of the series its place there. Of rows that fall on one place
        the last counts.

    Raises:
        DetectorError: without channels.
    """
    if not channels:
        raise DetectorError("no channel of power in the series: name one with --map, e.g. load=total_gen_mw")
    stamps_us = pd.DatetimeIndex(series.frame.index).tz_convert("UTC").as_unit("us").asi8
    cadence_us = round(series.cadence_s * 1e6)
    place = (stamps_us - stamps_us[0] + cadence_us // 2) // cadence_us
    values = np.full((len(channels), int(place[-1]) + 1), np.nan)
    values[:, place] = series.frame[list(channels)].to_numpy(dtype=np.float64).T
    grid_us = stamps_us[0] + cadence_us * np.arange(values.shape[1])
    stamps = pd.DatetimeIndex(grid_us.astype("datetime64[us]")).tz_localize("UTC")
    return RegularSeries(stamps, series.cadence_s, tuple(channels), values), place
