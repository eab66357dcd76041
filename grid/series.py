"""A base series: what the area would measure if nobody dispatched anything."""

from dataclasses import dataclass

import pandas as pd

POWER_CHANNELS = ("load_kw", "solar_kw", "wind_kw", "net_load_kw")
CHANNELS = (*POWER_CHANNELS, "price_usd_per_mwh", "da_price_usd_per_mwh", "frequency_hz")


@dataclass(frozen=True)
class BaseSeries:
    """Interval-averaged measurements of one area.

    Invariants:
        ``frame`` has a sorted, unique, UTC ``DatetimeIndex`` named ``ts_utc`` of interval
        *starts*, and float64 columns out of :data:`CHANNELS`; ``net_load_kw`` is always
        among them; a missing value is NaN. Rows may be absent (gaps) but are never invented.

    Attributes:
        frame: the measurements.
        cadence_s: nominal seconds between rows.
        currency: of the prices, e.g. ``USD``; never converted.
        price_source: ``file``, ``synthetic`` or ``none``.
    """

    frame: pd.DataFrame
    cadence_s: float
    currency: str = "USD"
    price_source: str = "none"
