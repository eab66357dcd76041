"""An area that goes on without an end: simulated days in a row, with prices, on the machine's dates."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from grid.synthetic import FINE_STEP_S, generate_day, training_seeds
from grid.synthetic_prices import PriceModel, with_synthetic_prices

TZ = "Etc/GMT+7"
"""The generator's local time all year round: its days are 24 hours long and begin at this midnight."""

JOIN_MEMORY_S = 3600.0
"""A day begins where the one before ended; this long lasts what that adds to its load."""


class SimulatedArea:
    """Days of an area by date.

    Args:
        seed: of the area; another one has other days.
        price_model: scale of its prices.
    """

    def __init__(self, seed: int, price_model: PriceModel) -> None:
        self._seed = seed
        self._price_model = price_model
        # A day is asked for by plant and market, and its shape by the day after it.
        self._days = lru_cache(maxsize=3)(self._priced)
        self._shapes = lru_cache(maxsize=3)(self._plain)

    def day(self, day: date) -> BaseSeries:
        """The priced series of a local date; it follows that of the date before without a step."""
        return self._days(day)

    def _priced(self, day: date) -> BaseSeries:
        pair = pd.concat([self._shapes(day - timedelta(days=1)), self._joined(day)])
        series = BaseSeries(pair, FINE_STEP_S)
        priced = with_synthetic_prices(series, self._price_model, site_tz=TZ, price_seed=self._seed)
        frame = priced.frame[priced.frame.index >= midnight(day)]
        return BaseSeries(frame, FINE_STEP_S, priced.currency, priced.price_source)

    def _plain(self, day: date) -> pd.DataFrame:
        frame = generate_day(self._day_seed(day)).frame
        index = pd.DatetimeIndex(frame.index)
        return frame.set_axis((index + (midnight(day) - index[0])).rename("ts_utc"))

    def _joined(self, day: date) -> pd.DataFrame:
        frame, before = self._shapes(day), self._shapes(day - timedelta(days=1))
        step_kw = before["net_load_kw"].iloc[-1] - frame["net_load_kw"].iloc[0]
        added_kw = step_kw * np.exp(-np.arange(len(frame)) * FINE_STEP_S / JOIN_MEMORY_S)
        return frame.assign(load_kw=frame["load_kw"] + added_kw, net_load_kw=frame["net_load_kw"] + added_kw)

    def _day_seed(self, day: date) -> int:
        """Another one for each date, and never one of the training days'."""
        return training_seeds().stop + 1000 * self._seed + day.toordinal()


def local_date(moment: datetime) -> date:
    """The area's local date."""
    return moment.astimezone(ZoneInfo(TZ)).date()


def midnight(day: date) -> pd.Timestamp:
    """The start of a local date, in UTC."""
    return pd.Timestamp(day, tz=TZ).tz_convert("UTC")
