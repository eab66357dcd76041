"""What the area's outlook expects from the coming interval on, from everything known now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from grid.telemetry import AREA_SITE, NATIVE_SITE
from tools.believed import believed_pulses
from tools.contract import ToolContext
from tools.followed_outlook import followed_outlook
from tools.intervals import interval_start, net_load_means

_MARGIN = timedelta(hours=2)
"""A level rests on the whole of its own hour and of the hours around it."""


@dataclass(frozen=True)
class ExpectedCourse:
    """Native net load to expect.

    Attributes:
        past_kw: means of the intervals just past, oldest first; None where missing.
        levels_kw: of the interval that has just ended, and of the coming ones.
        sigma_kw: standard deviation of the 30-minute change that ends in each coming one; empty where the
            levels do not rest on what was measured.
    """

    past_kw: list[float | None]
    levels_kw: list[float]
    sigma_kw: list[float]


def expected_course(context: ToolContext, hours: float) -> ExpectedCourse | None:
    """The course of the next ``hours``; None without an outlook."""
    if context.outlook is None:
        return None
    outlook = followed_outlook(context.outlook, context.reader).at(context.clock.now())
    step = timedelta(seconds=context.limits.interval_s)
    now = interval_start(context.clock.now(), context.limits.interval_s)
    steps = round(timedelta(hours=hours) / step)
    prices = _day_ahead(context, now - step - _MARGIN, now + steps * step + _MARGIN)
    oldest = now - outlook.looks_back * step
    pulses = believed_pulses(context.reader, NATIVE_SITE, oldest, now)
    past = net_load_means(pulses, oldest, context.limits.interval_s, outlook.looks_back)
    course = outlook.course(past, now, steps, prices)
    if course is None:
        return ExpectedCourse(past, outlook.levels_kw(now - step, 1 + steps, prices), [])
    return ExpectedCourse(past, course.levels_kw.tolist(), course.sigma_kw.tolist())


def _day_ahead(context: ToolContext, start: datetime, end: datetime) -> dict[datetime, float]:
    quotes = context.reader.quotes(AREA_SITE, start, end)
    return {
        quote.ts_utc: quote.da_price_usd_per_mwh for quote in quotes if quote.da_price_usd_per_mwh is not None
    }
