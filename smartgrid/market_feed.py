"""The market's quotes as they become known: day-ahead for the local day, real time before each interval."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pandas as pd

from grid.intervals import interval_length_s, interval_means
from grid.market import PriceQuote
from grid.series import BaseSeries
from grid.telemetry import AREA_SITE
from pipeline.store import OwnerWriter


class MarketFeed:
    """Writes quotes of a priced series into the store, none before its time.

    Args:
        series: with ``price_usd_per_mwh`` and, where there are any, ``da_price_usd_per_mwh``.
        store: where the quotes go.
    """

    def __init__(self, series: BaseSeries, store: OwnerWriter) -> None:
        means = interval_means(series)
        self._interval_s = interval_length_s(series.cadence_s)
        self._real_time = _by_time(means, "price_usd_per_mwh")
        self._day_ahead = _by_time(means, "da_price_usd_per_mwh")
        self._store = store

    def announce_day(self, start: datetime, end: datetime) -> None:
        """Publish the day-ahead prices of ``start <= t < end``."""
        times = sorted(at for at in self._day_ahead if start <= at < end)
        self._write((at, None) for at in times)

    def quote_interval(self, start: datetime) -> None:
        """Publish the real-time price of the interval that begins at ``start``."""
        if start in self._real_time or start in self._day_ahead:
            self._write([(start, self._real_time.get(start))])

    def _write(self, quotes: Iterable[tuple[datetime, float | None]]) -> None:
        self._store.write_quotes(
            [
                PriceQuote(AREA_SITE, at, self._interval_s, price, self._day_ahead.get(at))
                for at, price in quotes
            ]
        )


def _by_time(means: pd.DataFrame, column: str) -> dict[datetime, float]:
    if column not in means:
        return {}
    known = means[column].dropna()
    times = pd.DatetimeIndex(known.index).to_pydatetime()
    return dict(zip(times.tolist(), known.to_numpy(dtype=np.float64).tolist(), strict=True))
