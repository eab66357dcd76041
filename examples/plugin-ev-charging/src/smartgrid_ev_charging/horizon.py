"""What the grid knows of the coming quarter-hours: prices, and the net load to expect."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from smartgrid.plugin import (
    NATIVE_SITE,
    ToolContext,
    ToolUnavailableError,
    age_s_of,
    expected_course,
    interval_start,
    is_stale,
)

Floats = NDArray[np.float64]

STEP = timedelta(minutes=15)
STEP_H = STEP / timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Steps from the first border to come."""

    start: datetime
    steps: int

    def border(self, step: int) -> datetime:
        """When a step begins."""
        return self.start + step * STEP

    def begun_by(self, moment: datetime) -> int:
        """How many whole steps end at ``moment`` or before, within the horizon."""
        return min(max((moment - self.start) // STEP, 0), self.steps)

    def means(self, values: Iterable[tuple[datetime, float]]) -> Floats:
        """The mean of the values that begin in each step; NaN where there is none."""
        sums, counts = np.zeros(self.steps), np.zeros(self.steps)
        for moment, value in values:
            step = (moment - self.start) // STEP
            if 0 <= step < self.steps:
                sums[step] += value
                counts[step] += 1
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def horizon_until(context: ToolContext, end: datetime) -> Horizon:
    """The steps between now and ``end``."""
    start = interval_start(context.clock.now() + STEP - timedelta(microseconds=1), STEP.total_seconds())
    return Horizon(start, max((end - start) // STEP, 0))


def prices_per_mwh(context: ToolContext, site: str, horizon: Horizon) -> Floats:
    """By step the price that is known: real-time, else day-ahead; NaN is not known."""
    quotes = context.reader.quotes(site, horizon.start, horizon.border(horizon.steps))
    known = (
        (quote.ts_utc, price)
        for quote in quotes
        for price in [
            quote.da_price_usd_per_mwh if quote.price_usd_per_mwh is None else quote.price_usd_per_mwh
        ]
        if price is not None
    )
    return horizon.means(known)


def expected_net_load_kw(context: ToolContext, horizon: Horizon) -> Floats:
    """By step the net load to expect: the less of it, the more of the load is met by sun and wind.

    Raises:
        ToolUnavailableError: when what it would rest on is too old, or there is no outlook.
    """
    newest = context.reader.latest(NATIVE_SITE, 1)
    age_s = age_s_of(context, newest[-1].ts_utc) if newest else None
    if is_stale(context, context.site(NATIVE_SITE), age_s):
        age = "nothing was measured yet" if age_s is None else f"the newest measurement is {age_s:.0f} s old"
        raise ToolUnavailableError(f"prefer='greenest': {age}; see get_grid_status, or ask prefer='cheapest'")
    now = interval_start(context.clock.now(), context.limits.interval_s)
    course = expected_course(context, (horizon.border(horizon.steps) - now) / timedelta(hours=1))
    if course is None:
        raise ToolUnavailableError(
            "prefer='greenest': no outlook was learnt here; train one with `smartgrid train`,"
            " or ask prefer='cheapest'"
        )
    step = timedelta(seconds=context.limits.interval_s)
    return horizon.means((now + n * step, level) for n, level in enumerate(course.levels_kw[1:]))
