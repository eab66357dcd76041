"""The forecast that holds now: the stream's, or the outlook's where the stream's rests on false telemetry."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from grid.telemetry import NATIVE_SITE
from grid.units import RAMP_WINDOW_S
from pipeline.forecast import Forecast
from policies.horizon import P90_SIGMAS
from tools.believed import stand_ins
from tools.contract import ToolContext
from tools.expected_course import expected_course

OUTLOOK_MODEL: Final = "outlook on believed telemetry"
_RESTS_ON: Final = timedelta(hours=1)
"""The stream's forecast looks at so much of the past, and at the same time of past days."""
_HOURS: Final = 1.0


def current_forecast(context: ToolContext, made: Forecast) -> Forecast | None:
    """The stream's forecast, or another in its place; None where there is none to believe.

    Args:
        context: reads the area.
        made: the newest forecast of a site by the stream, which takes every pulse as it was measured.
    """
    if made.site != NATIVE_SITE or not stand_ins(
        context.reader, made.issued_at - _RESTS_ON, made.issued_at + timedelta(microseconds=1)
    ):
        return made
    course = expected_course(context, _HOURS)
    if course is None or not course.sigma_kw:
        return None
    steps = round(RAMP_WINDOW_S / context.limits.interval_s)
    if not 0 < steps <= len(course.sigma_kw):
        return None
    now_kw, change_kw = course.levels_kw[0], course.levels_kw[steps] - course.levels_kw[0]
    wide_kw = P90_SIGMAS * course.sigma_kw[steps - 1]
    return replace(
        made,
        net_load_kw=now_kw,
        p10_kw=change_kw - wide_kw,
        p50_kw=change_kw,
        p90_kw=change_kw + wide_kw,
        model=OUTLOOK_MODEL,
    )
