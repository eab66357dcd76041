"""simulate_scenario: what if; on a copy of the plant, nothing is actuated and nothing recorded."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, Self

import anyio.to_thread
import numpy as np
from pydantic import Field, model_validator

from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.trust import assess
from policies.errors import PolicyError
from policies.principal import SCOPE_READ
from policies.scenario import Rehearsal, Shock, Step
from policies.scenario_accounts import RunAccounts, run_accounts
from policies.verdict import GuardrailState
from policies.view import GridView
from tools.area_view import area_view, peaker_start_asked
from tools.contract import AssetsView, SiteName, Tool, ToolContext, ToolInput, ToolOutput
from tools.errors import ToolUnavailableError
from tools.freshness import age_s_of, is_stale, max_age_s
from tools.rehearsal_words import GuardrailFinding, LoopAction, actions_of, assumptions_of, findings_of
from tools.scenario_course import (
    channel_course_kw,
    expected_course_of,
    net_load_shock,
    price_shock,
    require_in_area,
    shares,
)

Kind = Literal["solar_drop", "unit_trip", "load_rise", "price_spike"]
AFTER_MIN = 30.0
"""Looked at beyond the scenario's end, so that the way back shows."""
MOST_ROWS = 24
CRITICAL_FACTOR = 2.0


class ScenarioRequest(ToolInput):
    """What happens, how much of it, when."""

    kind: Kind
    size: float = Field(
        description="solar_drop, load_rise: percent; unit_trip: kW lost; price_spike: price per MWh",
        ge=-1e9,
        le=1e9,
    )
    duration_min: float = Field(60.0, description="minutes that it lasts", ge=5, le=240)
    start_in_min: float = Field(0.0, description="minutes until it begins", ge=0, le=240)
    site: SiteName = Field(NATIVE_SITE, description="whose solar or load it is")
    approves: bool = Field(True, description="suppose that an operator approves what needs it")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kind == "price_spike":
            return self
        most = 100.0 if self.kind == "solar_drop" else 1e9
        if not 0.0 < self.size <= most:
            unit = "kW" if self.kind == "unit_trip" else "percent"
            raise ValueError(
                f"size={self.size:g}: for {self.kind}, give more than 0 and at most {most:g} {unit}"
            )
        return self


class ScenarioAnswer(ToolOutput):
    """What would follow. Powers in kW (at an asset, positive injects), money in ``currency``."""

    from_utc: datetime
    until_utc: datetime
    currency: str
    largest_extra_kw: float = Field(description="largest rise of net load")
    at_min: list[float] = Field(description="start of each row, in minutes from now")
    expected_kw: list[float] = Field(description="metered net load without it, assets idle")
    scenario_kw: list[float] = Field(description="with it, assets idle")
    with_loops_kw: list[float] = Field(description="with it, the two loops at work")
    battery_kw: list[float]
    peaker_kw: list[float]
    ramp_limit_kw: float
    largest_change_expected_kw: float | None = Field(description="30-minute change, signed")
    largest_change_kw: float | None
    largest_change_with_loops_kw: float | None
    instability: Literal["none", "warning", "critical"] = Field(description="assets idle")
    instability_with_loops: Literal["none", "warning", "critical"]
    soc_start_pct: float
    soc_end_pct: float
    peaker_starts: int
    cost_idle: float | None = Field(description="ramp penalty less energy sold; None: a price is missing")
    cost_with_loops: float | None
    saved: float | None
    ramp_penalty_idle: float
    ramp_penalty_with_loops: float
    actions: list[LoopAction] = Field(description="where a loop begins, turns or stops")
    guardrails: list[GuardrailFinding] = Field(description="that clip, ask an operator or refuse")
    assumptions: list[str]


async def run(request: ScenarioRequest, context: ToolContext) -> ScenarioAnswer:
    """Rehearse it three times: without it, with it and idle, with it and the loops at work."""
    site = context.site(request.site)
    require_in_area(context, site)
    _require_fresh(context)
    assets = context.desk.assets()
    view = area_view(context, assets, peaker_start_asked(context))
    steps = ceil((request.start_in_min + request.duration_min + AFTER_MIN) * 60.0 / view.interval_s)
    shock = _shock(request, context, view, steps)
    rehearsal = Rehearsal(
        view,
        _guardrail_state(context, assets, view),
        context.limits,
        expected_course_of(view, steps),
        approves=request.approves,
    )
    calm = net_load_shock(np.zeros(steps), 0.0)
    expected, idle = list(rehearsal.play(calm, loops=False)), list(rehearsal.play(shock, loops=False))
    acted = await _played(rehearsal.play(shock, loops=True), steps, context)
    return _answer(request, context, view, (expected, idle, acted))


async def _played(run_on: Iterator[Step], total: int, context: ToolContext) -> list[Step]:
    """Step by step in a thread, so that the server hears others meanwhile."""
    done: list[Step] = []
    try:
        while (step := await anyio.to_thread.run_sync(next, run_on, None)) is not None:
            done.append(step)
            context.progress(len(done), total, "intervals rehearsed")
    except PolicyError as error:
        raise ToolUnavailableError(f"the policies found no plan: {error}; see get_grid_status") from error
    return done


def _require_fresh(context: ToolContext) -> None:
    for name in (NATIVE_SITE, AREA_SITE):
        site, newest = context.site(name), context.reader.latest(name, 1)
        age_s = age_s_of(context, newest[-1].ts_utc) if newest else None
        if is_stale(context, site, age_s):
            what = "has measured nothing yet" if age_s is None else f"is {age_s:.0f} s old"
            raise ToolUnavailableError(
                f"telemetry of site={name!r} {what}, allowed {max_age_s(context, site):.0f} s:"
                " a scenario has to start from a live grid; see get_grid_status"
            )


def _shock(request: ScenarioRequest, context: ToolContext, view: GridView, steps: int) -> Shock:
    from_s = request.start_in_min * 60.0
    share = shares(steps, view.interval_s, from_s, from_s + request.duration_min * 60.0)
    if request.kind == "price_spike":
        return price_shock(share, request.size)
    if request.kind == "unit_trip":
        return net_load_shock(share, request.size)
    channel = "solar_kw" if request.kind == "solar_drop" else "load_kw"
    course_kw = channel_course_kw(context, context.site(request.site), channel, view.now, steps)
    return net_load_shock(share, course_kw * request.size / 100.0)


def _guardrail_state(context: ToolContext, assets: AssetsView, view: GridView) -> GuardrailState:
    if assets.readings is None:
        raise ToolUnavailableError(
            "the assets have not reported yet; start the plant's owner, `smartgrid up`"
        )
    now = context.clock.now()
    events = context.reader.events(AREA_SITE, now + timedelta(days=1))
    return GuardrailState(
        interval_s=view.interval_s,
        battery=assets.readings.battery,
        peaker=assets.readings.peaker,
        battery_discharged_today_kwh=assets.cycles_today * context.limits.battery.energy_kwh,
        peaker_starts_today=assets.starts_today,
        spent_today_usd=assets.spent_today_usd,
        telemetry_age_s=0.0,
        trust=assess(context.reader, NATIVE_SITE, now).reliance,
        halted=context.desk.halted(),
        emergency=any(event.ended_at is None and event.severity == "critical" for event in events),
    )


def _answer(
    request: ScenarioRequest,
    context: ToolContext,
    view: GridView,
    runs: tuple[list[Step], list[Step], list[Step]],
) -> ScenarioAnswer:
    limits = context.limits
    expected, idle, acted = runs
    before, without, loops = (run_accounts(view, played, limits) for played in runs)
    stride = ceil(len(idle) / MOST_ROWS)
    costs = (without.cost_usd, loops.cost_usd)
    begins = view.now + timedelta(minutes=request.start_in_min)
    end = acted[-1].state
    return ScenarioAnswer(
        from_utc=begins,
        until_utc=begins + timedelta(minutes=request.duration_min),
        currency=context.currency,
        largest_extra_kw=_kw(
            max(step.native_kw - calm.native_kw for step, calm in zip(idle, expected, strict=True))
        ),
        at_min=[k * view.interval_s / 60.0 for k in range(0, len(idle), stride)],
        expected_kw=[_kw(step.metered_kw) for step in expected[::stride]],
        scenario_kw=[_kw(step.metered_kw) for step in idle[::stride]],
        with_loops_kw=[_kw(step.metered_kw) for step in acted[::stride]],
        battery_kw=[_kw(step.battery_kw) for step in acted[::stride]],
        peaker_kw=[_kw(step.peaker_kw) for step in acted[::stride]],
        ramp_limit_kw=limits.ramp_limit_kw,
        largest_change_expected_kw=_kw_or_none(before.largest_change_kw),
        largest_change_kw=_kw_or_none(without.largest_change_kw),
        largest_change_with_loops_kw=_kw_or_none(loops.largest_change_kw),
        instability=_severity(without, limits.ramp_limit_kw),
        instability_with_loops=_severity(loops, limits.ramp_limit_kw),
        soc_start_pct=100.0 * view.soc_kwh / limits.battery.energy_kwh,
        soc_end_pct=100.0 * end.battery.soc_kwh / limits.battery.energy_kwh,
        peaker_starts=end.peaker_starts_today - view.peaker_starts_today,
        cost_idle=costs[0],
        cost_with_loops=costs[1],
        saved=None if costs[0] is None or costs[1] is None else costs[0] - costs[1],
        ramp_penalty_idle=without.penalty_usd,
        ramp_penalty_with_loops=loops.penalty_usd,
        actions=actions_of(acted, view),
        guardrails=findings_of(acted, view),
        assumptions=assumptions_of(request.kind, view, approves=request.approves),
    )


def _kw(value: float) -> float:
    """To what an agent pays for; adding zero takes a sign from it."""
    return round(value, 2) + 0.0


def _kw_or_none(value: float | None) -> float | None:
    return None if value is None else _kw(value)


def _severity(run_: RunAccounts, limit_kw: float) -> Literal["none", "warning", "critical"]:
    size_kw = abs(run_.largest_change_kw or 0.0)
    if size_kw <= limit_kw:
        return "none"
    return "critical" if size_kw >= CRITICAL_FACTOR * limit_kw else "warning"


tool = Tool(
    name="simulate_scenario",
    title="Simulate a scenario",
    description=(
        "What if solar drops, a unit trips, load rises or the price spikes: net load, ramps, what both loops"
        " and the guardrails would do, cost against doing nothing. On a copy: nothing is actuated."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=ScenarioRequest,
    output_model=ScenarioAnswer,
    run=run,
    toolset="grid",
)
