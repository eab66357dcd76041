"""Made-up days: net load with its parts, and prices."""

from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from grid.series import BaseSeries

SITE_TZ: Final = "Europe/Luxembourg"
CADENCE_S: Final = 300.0


def made_up_series(days: float = 4.0, cadence_s: float = CADENCE_S, seed: int = 1) -> BaseSeries:
    """A daily wave with noise from 2024-05-01 on; load, solar and wind add up to the net load."""
    rng = np.random.default_rng(seed)
    rows = round(days * 86_400 / cadence_s)
    index = pd.date_range(
        "2024-05-01", periods=rows, freq=pd.Timedelta(seconds=cadence_s), tz="UTC", name="ts_utc", unit="us"
    )
    hours = np.arange(rows) * cadence_s / 3600.0
    load = 1000.0 + 200.0 * np.sin(2 * np.pi * hours / 24.0) + rng.normal(0.0, 8.0, rows)
    solar = 300.0 * np.clip(np.sin(2 * np.pi * (hours - 4.0) / 24.0), 0.0, None)
    wind = 80.0 + np.cumsum(rng.normal(0.0, 1.0, rows)) * 0.3
    frame = pd.DataFrame(
        {"load_kw": load, "solar_kw": solar, "wind_kw": wind, "net_load_kw": load - solar - wind}, index=index
    )
    return BaseSeries(frame, cadence_s)


@cache
def priced_series() -> BaseSeries:
    """Four days at five minutes: hourly day-ahead prices, real-time prices around them."""
    series = made_up_series()
    hours = np.arange(len(series.frame)) // 12
    day_ahead = 50.0 + 20.0 * np.sin(2 * np.pi * hours / 24.0)
    noise = np.random.default_rng(3).normal(0.0, 5.0, len(series.frame))
    prices = {"price_usd_per_mwh": day_ahead + noise, "da_price_usd_per_mwh": day_ahead}
    return BaseSeries(series.frame.assign(**prices), CADENCE_S, "EUR", "file")
