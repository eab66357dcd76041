"""Real-time prices to expect over the coming intervals, and what they make stored energy worth."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

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
    by_start = {quote.ts_utc: quote for quote in quotes}
    ahead = [by_start.get(start + k * timedelta(seconds=interval_s)) for k in range(steps)]
    now = None if not ahead or ahead[0] is None else ahead[0].price_usd_per_mwh
    day_ahead = _floats(None if quote is None else quote.da_price_usd_per_mwh for quote in ahead)
    known = np.flatnonzero(~np.isnan(day_ahead))
    steps = int(known[-1]) + 1 if len(known) else steps
    before = _floats(course.past_kw)[-window:] if window else np.empty(0)
    levels_kw = np.concatenate((before, course.levels_kw[1 : 1 + steps]))
    mean = context.outlook.prices.expected_usd_per_mwh(now, day_ahead[:steps], levels_kw)
    band = mean[:, None] + context.outlook.prices.strays_usd_per_mwh(steps)
    return ExpectedPrices(interval_s, mean, band)


def stored_energy_value(context: ToolContext, expected: ExpectedPrices) -> float | None:
    """What one more MWh in the battery is worth; None before its first report, or without prices."""
    readings = context.desk.assets().readings
    if readings is None:
        return None
    battery = context.limits.battery
    return energy_value_usd_per_mwh(battery, readings.battery.soc_kwh, expected.band, expected.interval_s)


def _floats(values: Iterable[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
