"""A market's prices on a regular grid, with what is known before each interval."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.storage_value import Array
from grid.units import SECONDS_PER_HOUR
from pipeline.errors import BacktestError
from pipeline.trading.hourly import AHEAD_H, Hourly, hourly
from pipeline.trading.load_signals import load_signals
from pipeline.trading.signals import signals

Indices = npt.NDArray[np.intp]
PRICE_INPUTS: Final = 4
"""Inputs that a supposed clearing price adds to the signals."""


@dataclass(frozen=True)
class MarketTable:
    """Every interval of a market.

    Attributes:
        index: interval starts, UTC, without gaps.
        price: real time; NaN is missing.
        per_hour: intervals an hour.
        known: per hour.
        stated: whether the source had a row for the interval; prices of the others are missing.
        names: of the signals.
        signals: (intervals, signals), known before each interval.
    """

    index: pd.DatetimeIndex
    price: Array
    per_hour: int
    known: Hourly
    stated: npt.NDArray[np.bool_]
    names: tuple[str, ...]
    signals: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls,
        price: pd.Series,
        da_price: pd.Series | None,
        cadence_s: float,
        zone: ZoneInfo,
        net_load: pd.Series | None = None,
    ) -> "MarketTable":
        """Lay prices on the grid of their cadence.

        Args:
            price: real-time prices by interval start (UTC).
            da_price: day-ahead prices by start, each valid for its hour; None where there are none.
            cadence_s: seconds between intervals; must divide an hour.
            zone: of the local day.
            net_load: mean of each interval, in any unit, by interval start; None where it is not known.

        Raises:
            BacktestError: if the cadence does not divide an hour, or a row is off the grid.
        """
        if cadence_s <= 0 or SECONDS_PER_HOUR % cadence_s:
            raise BacktestError(f"cadence {cadence_s:g} s does not divide an hour; resample the prices first")
        start = pd.Timestamp(price.index[0]).floor("h")
        index = pd.date_range(start, price.index[-1], freq=timedelta(seconds=cadence_s), name="ts_utc")
        stated = index.isin(price.index)
        if stated.sum() < len(price):
            off = price.index[~price.index.isin(index)][0].isoformat()
            raise BacktestError(
                f"ts_utc {off}: not a multiple of {cadence_s:g} s from the hour; resample the prices first"
            )
        values = price.reindex(index).to_numpy(dtype=np.float64)
        hours = pd.date_range(start, index[-1] + timedelta(hours=AHEAD_H), freq="h")
        day_ahead = None if da_price is None else _by_hour(da_price, hours)
        per_hour = round(SECONDS_PER_HOUR / cadence_s)
        known = hourly(values, day_ahead, start, per_hour, zone)
        found = signals(values, start, per_hour, zone, known)
        if net_load is not None:
            found |= load_signals(net_load.reindex(index).to_numpy(dtype=np.float64), per_hour)
        matrix = np.stack([column.astype(np.float32) for column in found.values()], axis=1)
        return cls(index, values, per_hour, known, stated, tuple(found), matrix)

    @property
    def interval_s(self) -> float:
        """Seconds of an interval."""
        return SECONDS_PER_HOUR / self.per_hour

    def level(self, at: Indices) -> Array:
        """The scale of prices at some intervals; NaN while too little is known."""
        return np.asarray(self.known.level[at // self.per_hour])

    def reference(self, at: Indices) -> Array:
        """Reference price of their hours."""
        return np.asarray(self.known.path[at // self.per_hour, 0])

    def signal(self, name: str, at: Indices) -> Array:
        """One signal of theirs."""
        return np.asarray(self.signals[at, self.names.index(name)], dtype=np.float64)

    def last_price(self, at: Indices) -> Array:
        """The newest price before them, else their reference."""
        last = self.signal("lag_1", at) * self.level(at)
        return np.where(np.isnan(last), self.reference(at), last)

    def price_inputs(self, at: Indices, price: Array) -> npt.NDArray[np.float32]:
        """What is learnt from if interval ``at`` clears at ``price``."""
        level = self.level(at)
        relative = price / level
        columns = (
            relative,
            (price - self.reference(at)) / level,
            relative - self.signal("lag_1", at),
            relative - self.signal("mean_1h", at),
        )
        return np.stack(columns, axis=1).astype(np.float32)


def _by_hour(da_price: pd.Series, hours: pd.DatetimeIndex) -> Array:
    """Mean of each hour's day-ahead prices."""
    known = da_price.dropna()
    return (
        known.groupby(pd.DatetimeIndex(known.index).floor("h"))
        .mean()
        .reindex(hours)
        .to_numpy(dtype=np.float64)
    )
