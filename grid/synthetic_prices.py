"""Prices where a file has none: a function of the base series, never of the metered one.

With x = (NL − P5)/(P95 − P5) and r = 30-minute change / its training 97th percentile::

    f(x)       = 14 + 30 x + 90 max(0, x − 0.85)
    day-ahead  = f of (net load averaged over the hour + AR(1) error of 3 % of its daily mean)
    real time  = f(x) + 25 max(0, r − 0.5) + AR(1) of 7 USD/MWh + spikes

The noise is ``numpy.random.default_rng([price_seed, local date])``, which no policy reads, so a
day's prices are the same whichever days are asked for with it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grid.errors import PriceModelError
from grid.intervals import change_30min, interval_length_s, interval_means, interval_starts
from grid.price_noise import DayNoise
from grid.series import BaseSeries
from grid.units import RAMP_WINDOW_S

Array = NDArray[np.float64]

PRICE_COLUMNS = ["price_usd_per_mwh", "da_price_usd_per_mwh"]
_DA_ERROR_SHARE = 0.03
_RT_SIGMA_USD = 7.0


@dataclass(frozen=True, slots=True)
class PriceModel:
    """The scale of the prices, fitted from training rows alone.

    Attributes:
        p5_kw, p95_kw: percentiles of the training net load.
        ramp_kw: 97th percentile of its |30-minute change|.
    """

    p5_kw: float
    p95_kw: float
    ramp_kw: float

    @classmethod
    def fit(cls, net_load_kw: pd.Series) -> "PriceModel":
        """The model of a training series.

        Args:
            net_load_kw: interval means by interval start; missing values are left out.

        Raises:
            PriceModelError: if the series is flat or too short to give both percentiles and changes.
        """
        known = net_load_kw.dropna()
        changes = change_30min(net_load_kw).abs().dropna()
        if len(known) and len(changes):
            p5, p95 = np.percentile(known, [5.0, 95.0])
            ramp = np.percentile(changes, 97.0)
            if p95 > p5 and ramp > 0.0:
                return cls(float(p5), float(p95), float(ramp))
        raise PriceModelError(
            f"net_load_kw: {len(known)} values give no scale for prices; give more training rows, "
            "with values 30 minutes apart that vary"
        )

    def base_price(self, net_load_kw: Array) -> Array:
        """f(x) in USD/MWh of a net load in kW."""
        x = self._x(net_load_kw)
        return np.asarray(14.0 + 30.0 * x + 90.0 * np.maximum(0.0, x - 0.85))

    def spike_odds(self, net_load_kw: Array, change_kw: Array) -> Array:
        """Probability per five minutes that a spike begins."""
        load_term = 2.0 * np.clip(self._x(net_load_kw), 0.0, 1.3) ** 3
        ramp_term = 1.5 * np.maximum(0.0, change_kw / self.ramp_kw - 0.7)
        return np.asarray(0.004 * (0.4 + load_term + ramp_term))

    def _x(self, net_load_kw: Array) -> Array:
        return np.asarray((net_load_kw - self.p5_kw) / (self.p95_kw - self.p5_kw))


def synthetic_prices(
    net_load_kw: pd.Series,
    model: PriceModel,
    days: Iterable[date],
    *,
    interval_s: float,
    site_tz: str,
    price_seed: int = 0,
) -> pd.DataFrame:
    """Real-time and day-ahead prices of some local days.

    Args:
        net_load_kw: interval means of the **base** series by UTC interval start. Rows before a
            day give its first 30-minute changes; where there are none, net load is taken as held
            at the day's first value.
        model: scale of the prices.
        days: local dates to price.
        interval_s: length of the intervals, 300 s or more.
        site_tz: time zone of the dates.
        price_seed: of the noise.

    Returns:
        ``price_usd_per_mwh`` and ``da_price_usd_per_mwh`` for those rows of the days that
        ``net_load_kw`` has. NaN where the net load is missing; where only the net load of
        30 minutes before is missing, the terms in r are left out.
    """
    priced = [
        _price_day(net_load_kw, model, day, interval_s=interval_s, site_tz=site_tz, price_seed=price_seed)
        for day in sorted(set(days))
    ]
    if not priced:
        return pd.DataFrame(columns=PRICE_COLUMNS, index=net_load_kw.index[:0], dtype=np.float64)
    return pd.concat(priced)


def with_synthetic_prices(
    series: BaseSeries, model: PriceModel, *, site_tz: str, price_seed: int = 0
) -> BaseSeries:
    """The series with synthetic prices on every row; each row carries those of its interval."""
    means = interval_means(series)["net_load_kw"]
    length_s = interval_length_s(series.cadence_s)
    days = set(pd.DatetimeIndex(means.index).tz_convert(site_tz).date)
    prices = synthetic_prices(means, model, days, interval_s=length_s, site_tz=site_tz, price_seed=price_seed)
    frame = series.frame.drop(columns=PRICE_COLUMNS, errors="ignore")
    starts = interval_starts(series)
    frame = frame.assign(**{name: prices[name].reindex(starts).to_numpy() for name in PRICE_COLUMNS})
    return BaseSeries(frame, series.cadence_s, series.currency, price_source="synthetic")


def _price_day(
    net_load: pd.Series, model: PriceModel, day: date, *, interval_s: float, site_tz: str, price_seed: int
) -> pd.DataFrame:
    zone = ZoneInfo(site_tz)
    start, end = (_midnight(date_, zone) for date_ in (day, day + timedelta(days=1)))
    window = net_load[
        (net_load.index >= start - pd.Timedelta(seconds=RAMP_WINDOW_S)) & (net_load.index < end)
    ]
    rows = window[window.index >= start]
    offset_s = (pd.DatetimeIndex(rows.index) - start).total_seconds().to_numpy()
    place = (offset_s // interval_s).astype(int)
    noise = DayNoise.draw(price_seed, day, math.ceil((end - start).total_seconds() / interval_s), interval_s)
    level = rows.to_numpy(dtype=np.float64)
    change = _changes(window, rows)
    odds = np.zeros(len(noise.spike_draw))
    odds[place] = np.nan_to_num(model.spike_odds(level, change))
    hourly = rows.groupby(offset_s // 3600).transform("mean").to_numpy(dtype=np.float64)
    hourly = np.where(np.isnan(level), np.nan, hourly)
    da_error_kw = _DA_ERROR_SHARE * abs(rows.mean()) * noise.da[place]
    ramp_usd = 25.0 * np.maximum(0.0, change / model.ramp_kw - 0.5)
    real_time = (
        model.base_price(level) + ramp_usd + _RT_SIGMA_USD * noise.rt[place] + noise.spikes_usd(odds)[place]
    )
    day_ahead = model.base_price(hourly + da_error_kw)
    return pd.DataFrame(dict(zip(PRICE_COLUMNS, (real_time, day_ahead), strict=True)), index=rows.index)


def _midnight(day: date, zone: ZoneInfo) -> pd.Timestamp:
    """The start of a local day in UTC, also where a clock change skips or repeats midnight."""
    return pd.Timestamp(day).tz_localize(zone, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC")


def _changes(window: pd.Series, rows: pd.Series) -> Array:
    """30-minute changes of a day's rows: before the first row its value is held; 0 where unknown."""
    change = change_30min(window).reindex(rows.index)
    if rows.notna().any() and len(rows) == len(window):
        first = rows.index < rows.index[0] + pd.Timedelta(seconds=RAMP_WINDOW_S)
        change = change.mask(first, rows - rows.dropna().iloc[0])
    return np.asarray(np.nan_to_num(change.to_numpy(dtype=np.float64)))
