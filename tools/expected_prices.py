"""Real-time prices to expect over the coming intervals, and what they make stored energy worth."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grid.accounts import ramp_steps
from grid.market import PriceQuote
from policies.energy_value import energy_value_usd_per_mwh
from tools.contract import ToolContext
from tools.expected_course import expected_course
from tools.intervals import interval_start

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ExpectedPrices:
    """Prices per MWh of the coming intervals, as far as known.

    Attributes:
        interval_s: length of an interval.
        mean: expected price of each.
        band: P10, P50 and P90 of each, a row each.
    """

    interval_s: float
    mean: Array
    band: Array

    def by_steps(self, size: int) -> list[list[float]]:
        """Mean, P10, P50 and P90 by steps of ``size`` intervals, averaged; the last may be shorter."""
        rows = np.column_stack([self.mean, self.band])
        if size == 1:
            return [list(row) for row in rows.tolist()]
        return [rows[at : at + size].mean(axis=0).tolist() for at in range(0, len(rows), size)]


def expected_prices(context: ToolContext, quotes: Iterable[PriceQuote], hours: float) -> ExpectedPrices:
    """What to expect; nothing where it was not learnt, or the net load is not known.

    Args:
        context: reads the area.
        quotes: that are known, of the coming intervals among others.
        hours: how far ahead, as long as the day-ahead prices reach or, without any, in all.
    """
    interval_s = context.limits.interval_s
    nothing = ExpectedPrices(interval_s, np.empty(0), np.empty((0, 3)))
    if context.outlook is None or context.outlook.prices is None:
        return nothing
    course = expected_course(context, hours)
    if course is None or not course.sigma_kw:
        return nothing
    start, window = interval_start(context.clock.now(), interval_s), ramp_steps(interval_s) or 0
    steps = len(course.levels_kw) - 1
    now, day_ahead = _known(quotes, start, timedelta(seconds=interval_s), steps)
    known = np.flatnonzero(~np.isnan(day_ahead))
    steps = int(known[-1]) + 1 if len(known) else steps
    before = _floats(course.past_kw)[-window:] if window else np.empty(0)
    levels_kw = np.concatenate((before, course.levels_kw[1 : 1 + steps]))
    mean = context.outlook.prices.expected_usd_per_mwh(now, day_ahead[:steps], levels_kw)
    band = mean[:, None] + context.outlook.prices.strays_usd_per_mwh(steps)
    return ExpectedPrices(interval_s, mean, band)


def _known(
    quotes: Iterable[PriceQuote], start: datetime, step: timedelta, steps: int
) -> tuple[float | None, Array]:
    """The real-time price at ``start``, and the day-ahead ones of the steps from there on; NaN is missing."""
    now, day_ahead = None, np.full(steps, np.nan)
    for quote in quotes:
        at, between = divmod(quote.ts_utc - start, step)
        if 0 <= at < steps and not between:
            price = quote.da_price_usd_per_mwh
            day_ahead[at] = np.nan if price is None else price
            now = now if at else quote.price_usd_per_mwh
    return now, day_ahead


def day_mean(quotes: Iterable[PriceQuote], day_end: datetime) -> float | None:
    """Mean price of the local day whose quotes these are: real-time where known, day-ahead from there on."""
    both = [
        quote.da_price_usd_per_mwh if quote.price_usd_per_mwh is None else quote.price_usd_per_mwh
        for quote in quotes
        if quote.ts_utc < day_end
    ]
    known = [price for price in both if price is not None]
    return sum(known) / len(known) if known else None


def stored_energy_value(context: ToolContext, expected: ExpectedPrices) -> float | None:
    """What one more MWh in the battery is worth; None before its first report, or without prices."""
    readings = context.desk.assets().readings
    if readings is None:
        return None
    battery = context.limits.battery
    return energy_value_usd_per_mwh(battery, readings.battery.soc_kwh, expected.band, expected.interval_s)


def _floats(values: Iterable[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
