"""The assets at an earlier moment, reckoned back from their last report through what they did since."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from grid.assets import BatterySpec, BatteryState, PeakerState
from grid.drivers import AssetReadings
from grid.settled import AssetDispatch
from grid.telemetry import AREA_SITE
from tools.contract import AssetsView, ToolContext
from tools.errors import ToolUnavailableError
from tools.intervals import local_day

LOOK_BACK = timedelta(hours=36)
_GAP_S = 1.0
_OFF_KW = 1e-6


def assets_then(context: ToolContext, at: datetime) -> AssetsView:
    """The assets at ``at``.

    Raises:
        ToolUnavailableError: when the store does not tell all that they did since.
    """
    now = context.desk.assets()
    if now.readings is None:
        raise ToolUnavailableError("the assets have not reported yet")
    if now.readings.ts_utc <= at:
        return now
    spans = context.reader.dispatches(AREA_SITE, at - LOOK_BACK, now.readings.ts_utc)
    battery, peaker = ([span for span in spans if span.asset == asset] for asset in ("battery", "peaker"))
    _require_all(battery, at, now.readings)
    day_start, _ = local_day(at, context.site(AREA_SITE).tz)
    spec = context.limits.battery
    soc_kwh = now.readings.battery.soc_kwh + sum(_taken_kwh(span, spec, at, None) for span in battery)
    discharged_kwh = sum(max(0.0, _taken_kwh(span, spec, day_start, at)) for span in battery)
    readings = replace(
        now.readings,
        ts_utc=at,
        battery=BatteryState(min(max(soc_kwh, 0.0), spec.energy_kwh), _power_at(battery, at)),
        peaker=_peaker_at(peaker, at),
    )
    starts = sum(
        _off(before) and not _off(after) and day_start <= after.start < at
        for before, after in pairwise(peaker)
    )
    return AssetsView(readings, discharged_kwh / spec.energy_kwh, starts)


def _end(span: AssetDispatch) -> datetime:
    return span.start + timedelta(seconds=span.duration_s)


def _off(span: AssetDispatch) -> bool:
    return span.power_kw <= _OFF_KW


def _require_all(spans: Sequence[AssetDispatch], at: datetime, readings: AssetReadings) -> None:
    """The spans since ``at`` have to lie one after another, up to the last report."""
    reached = at
    for span in spans:
        if _end(span) <= at:
            continue
        if (span.start - reached).total_seconds() > _GAP_S:
            break
        reached = _end(span)
    if (readings.ts_utc - reached).total_seconds() > _GAP_S:
        raise ToolUnavailableError(f"the store does not tell what the assets did after {reached.isoformat()}")


def _taken_kwh(span: AssetDispatch, spec: BatterySpec, start: datetime, end: datetime | None) -> float:
    """Energy taken from the cells by the part of a span that lies after ``start`` and before ``end``."""
    until = _end(span) if end is None else min(end, _end(span))
    hours = (until - max(start, span.start)) / timedelta(hours=1)
    if hours <= 0.0:
        return 0.0
    eta = spec.one_way_efficiency
    return span.power_kw * hours * (1.0 / eta if span.power_kw > 0.0 else eta)


def _power_at(spans: Sequence[AssetDispatch], at: datetime) -> float:
    before = [span for span in spans if span.start < at]
    return before[-1].power_kw if before else 0.0


def _peaker_at(spans: Sequence[AssetDispatch], at: datetime) -> PeakerState:
    before = [span for span in spans if span.start < at]
    if not before:
        return PeakerState()
    on, since = not _off(before[-1]), before[0].start
    for earlier, later in pairwise(before):
        if _off(earlier) == on and _off(later) != on:
            since = later.start
    lasted_s = (at - since).total_seconds()
    changed = any(_off(span) == on for span in before)
    return PeakerState(before[-1].power_kw, on, lasted_s if changed or on else float("inf"))
