"""The market: price quotes and the penalty on steep ramps."""

from dataclasses import dataclass
from datetime import datetime

RAMP_PENALTY_USD_PER_KWH = 0.25
"""Charged on each kW of 30-minute change beyond the ramp limit, per hour (definitions: a day's accounts)."""


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """Prices of one interval, per MWh in the site's currency; None is missing.

    Attributes:
        ts_utc: the interval's start.
        interval_s: its length.
        price_usd_per_mwh: real-time price, known just before the interval begins.
        da_price_usd_per_mwh: day-ahead price, known for the whole day.
    """

    site: str
    ts_utc: datetime
    interval_s: float
    price_usd_per_mwh: float | None
    da_price_usd_per_mwh: float | None
