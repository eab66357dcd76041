"""What is expected over the coming intervals, and what a scenario changes of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from policies.horizon import levels_kw
from policies.scenario import Course, Shock
from policies.view import GridView
from tools.contract import SiteInfo, ToolContext
from tools.errors import ToolInputError, ToolUnavailableError
from tools.intervals import net_load_means

Array = NDArray[np.float64]
RECENT = timedelta(minutes=15)
MOST_RATIO = 2.0
"""Of today's level to yesterday's at the same time, so that a first ray of sun makes no bright day."""
_DAY = timedelta(days=1)


def expected_course_of(view: GridView, steps: int) -> Course:
    """Expected net load and price of the next ``steps`` intervals.

    Raises:
        ToolUnavailableError: when the newest interval's net load is not known.
    """
    native_kw = levels_kw(view, steps)
    if np.isnan(native_kw).any():
        raise ToolUnavailableError(
            f"site={NATIVE_SITE!r} has no net load in the newest interval, so there is nothing to start from;"
            " see get_grid_status, and ask again after the next pulse"
        )
    return Course(native_kw, np.array(list(_prices(view, steps)), dtype=np.float64))


def _prices(view: GridView, steps: int) -> Iterator[float]:
    """The known one, then expected ones, else day-ahead ones; NaN where there is none."""
    step, day_ahead = timedelta(seconds=view.interval_s), dict(view.prices_ahead)
    for k in range(steps):
        expected = view.expected_usd_per_mwh[k] if k < len(view.expected_usd_per_mwh) else None
        known = view.price_usd_per_mwh if k == 0 else expected
        price = day_ahead.get(view.now + k * step) if known is None else known
        yield np.nan if price is None else price


def shares(steps: int, interval_s: float, from_s: float, until_s: float) -> Array:
    """The share of each interval that lies between two moments, in seconds from now."""
    starts = np.arange(steps) * interval_s
    inside = np.minimum(starts + interval_s, until_s) - np.maximum(starts, from_s)
    return np.asarray(np.clip(inside / interval_s, 0.0, 1.0))


def price_shock(share: Array, price: float) -> Shock:
    """The real-time price is ``price`` in each interval that the scenario touches."""
    return Shock(np.zeros(len(share)), np.where(share > 0.0, price, np.nan))


def net_load_shock(share: Array, lost_kw: Array | float) -> Shock:
    """Net load rises by ``lost_kw`` while the scenario lasts."""
    return Shock(share * lost_kw, np.full(len(share), np.nan))


def channel_course_kw(
    context: ToolContext, site: SiteInfo, channel: str, start: datetime, steps: int
) -> Array:
    """What a channel will show: yesterday's course at today's level, or held where yesterday is not known.

    Args:
        context: reads the area.
        site: the meter.
        channel: ``solar_kw`` or ``load_kw``.
        start: of the first interval.
        steps: how many intervals.

    Raises:
        ToolInputError: when the site does not measure it.
    """
    now_kw = _mean(_pulses(context, site, channel, start - RECENT, start))
    if now_kw is None:
        raise ToolInputError(
            f"site={site.name!r} has measured no {channel} in the last 15 minutes; "
            f"choose a site that measures it, such as {NATIVE_SITE}, or another kind"
        )
    first, interval_s = start - _DAY, context.limits.interval_s
    end = first + steps * timedelta(seconds=interval_s)
    before_kw = _mean(_pulses(context, site, channel, first - RECENT, first))
    past = net_load_means(_pulses(context, site, channel, first, end), first, interval_s, steps)
    ratio = min(MOST_RATIO, now_kw / before_kw) if before_kw and before_kw > 0.0 else 1.0
    course = [now_kw if value is None or before_kw is None else value * ratio for value in past]
    return np.array(course, dtype=np.float64)


def require_in_area(context: ToolContext, site: SiteInfo) -> None:
    """Refuse a site that the area's meter does not feel.

    Raises:
        ToolInputError: naming those that it feels.
    """
    if not _felt(context, site):
        felt = ", ".join(sorted(name for name, other in context.sites.items() if _felt(context, other)))
        raise ToolInputError(f"site={site.name!r} is not part of {AREA_SITE}; use one of: {felt}")


def _felt(context: ToolContext, site: SiteInfo) -> bool:
    seen: set[str] = set()
    while site.name != AREA_SITE:
        seen.add(site.name)
        if site.parent is None or site.parent in seen or site.parent not in context.sites:
            return False
        site = context.sites[site.parent]
    return True


def _pulses(
    context: ToolContext, site: SiteInfo, channel: str, start: datetime, end: datetime
) -> list[Telemetry]:
    """Pulses with the channel in the place of the net load."""
    found = context.reader.telemetry(site.name, start, end)
    return [replace(pulse, net_load_kw=getattr(pulse, channel)) for pulse in found]


def _mean(pulses: list[Telemetry]) -> float | None:
    known = [pulse.net_load_kw for pulse in pulses if pulse.net_load_kw is not None]
    return sum(known) / len(known) if known else None
