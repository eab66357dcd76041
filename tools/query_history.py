"""query_history: what a site measured over a span of time, at a chosen resolution."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from grid.telemetry import AREA_SITE, Telemetry
from policies.principal import SCOPE_READ
from tools.contract import SiteName, Tool, ToolContext, ToolInput, ToolOutput, UtcTime
from tools.errors import ToolInputError
from tools.intervals import interval_start

MAX_ROWS = 500
MAX_PULSES_READ = 20_000
"""About 27 hours of 5-second pulses: what one call may read, so that it does not hold up the others."""

_RESOLUTION_S = {"1min": 60.0, "5min": 300.0, "15min": 900.0, "1h": 3600.0}


class HistoryRequest(ToolInput):
    """Which site, from when to when, how fine."""

    site: SiteName = AREA_SITE
    start: UtcTime = Field(description="first moment, ISO-8601 with offset")
    end: UtcTime = Field(description="end (not included), ISO-8601 with offset")
    resolution: Literal["raw", "1min", "5min", "15min", "1h"] = Field(
        "15min", description="raw pulses, or means over such intervals"
    )


class HistoryRow(ToolOutput):
    """Means over the interval that starts at ``ts_utc``; None is missing."""

    ts_utc: datetime
    load_kw: float | None
    solar_kw: float | None
    wind_kw: float | None
    net_load_kw: float | None
    price_per_mwh: float | None
    frequency_hz: float | None


class HistoryAnswer(ToolOutput):
    """At most 500 rows; ``next_start`` is where to go on, None when all was given."""

    site: str
    resolution: str
    currency: str
    rows: list[HistoryRow]
    next_start: datetime | None


def _mean(group: Sequence[Telemetry], channel: Callable[[Telemetry], float | None]) -> float | None:
    values = [value for pulse in group if (value := channel(pulse)) is not None]
    return sum(values) / len(values) if values else None


def _row(ts_utc: datetime, group: Sequence[Telemetry]) -> HistoryRow:
    return HistoryRow(
        ts_utc=ts_utc,
        load_kw=_mean(group, lambda pulse: pulse.load_kw),
        solar_kw=_mean(group, lambda pulse: pulse.solar_kw),
        wind_kw=_mean(group, lambda pulse: pulse.wind_kw),
        net_load_kw=_mean(group, lambda pulse: pulse.net_load_kw),
        price_per_mwh=_mean(group, lambda pulse: pulse.price_usd_per_mwh),
        frequency_hz=_mean(group, lambda pulse: pulse.frequency_hz),
    )


def _rows(pulses: Iterable[Telemetry], step_s: float | None) -> list[HistoryRow]:
    """One row a pulse (``step_s`` None), or one for each interval in which something was measured."""
    groups: dict[datetime, list[Telemetry]] = {}
    for pulse in pulses:
        key = pulse.ts_utc if step_s is None else interval_start(pulse.ts_utc, step_s)
        groups.setdefault(key, []).append(pulse)
    return [_row(ts_utc, group) for ts_utc, group in groups.items()]


async def run(request: HistoryRequest, context: ToolContext) -> HistoryAnswer:
    """Answer with rows from ``start`` on, as many as one call may give."""
    site = context.site(request.site)
    if request.end <= request.start:
        raise ToolInputError(
            f"end={request.end.isoformat()} is not after start={request.start.isoformat()}; give a later end"
        )
    step_s = _RESOLUTION_S.get(request.resolution)
    row_s = max(step_s or 0.0, site.cadence_s)
    span = timedelta(seconds=max(row_s, min(MAX_ROWS * row_s, MAX_PULSES_READ * site.cadence_s)))
    first = request.start if step_s is None else interval_start(request.start, step_s)
    stop = request.end if request.end - first <= span else first + span
    if step_s is not None and stop < request.end:
        stop = interval_start(stop, step_s)
    rows = _rows(context.reader.telemetry(site.name, request.start, stop), step_s)
    next_start = stop if stop < request.end else None
    if len(rows) > MAX_ROWS:
        next_start, rows = rows[MAX_ROWS].ts_utc, rows[:MAX_ROWS]
    return HistoryAnswer(
        site=site.name,
        resolution=request.resolution,
        currency=context.currency,
        rows=rows,
        next_start=next_start,
    )


tool = Tool(
    name="query_history",
    title="Query history",
    description="A site's measurements between two moments, raw or as interval means; 500 rows a call.",
    effect="read",
    scope=SCOPE_READ,
    input_model=HistoryRequest,
    output_model=HistoryAnswer,
    run=run,
    toolset="grid",
)
