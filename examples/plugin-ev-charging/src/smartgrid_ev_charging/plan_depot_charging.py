"""plan_depot_charging: charge a depot's vehicles in the cheapest or the greenest hours before they leave."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from smartgrid.plugin import (
    AREA_SITE,
    SCOPE_READ,
    SiteName,
    Tool,
    ToolContext,
    ToolInput,
    ToolInputError,
    ToolOutput,
    ToolUnavailableError,
    UtcTime,
)
from smartgrid_ev_charging.charging_plan import Vehicle, plan_charging
from smartgrid_ev_charging.horizon import (
    STEP,
    STEP_H,
    Horizon,
    expected_net_load_kw,
    horizon_until,
    prices_per_mwh,
)

Floats = NDArray[np.float64]

LONGEST_H = 36
LEAST_KW = 1e-3


class VehicleRequest(ToolInput):
    """What a vehicle needs, and until when."""

    name: str = Field(description="how the answer names it", min_length=1, max_length=60)
    energy_kwh: float = Field(description="to be charged, at the meter", gt=0, le=2000)
    max_kw: float = Field(description="of its charger", gt=0, le=1000)
    ready_by: UtcTime = Field(description="when it leaves, ISO-8601 with offset")
    here_from: UtcTime | None = Field(None, description="when it comes; None: it is there")


class ChargingRequest(ToolInput):
    """The vehicles, what the depot's connection carries, and what counts."""

    vehicles: list[VehicleRequest] = Field(description="those to charge", min_length=1, max_length=40)
    depot_kw: float = Field(description="most that the depot may draw", gt=0, le=100_000)
    prefer: Literal["cheapest", "greenest"] = Field(
        "cheapest", description="lowest price, or lowest expected net load"
    )
    site: SiteName = AREA_SITE


class ChargingSpan(ToolOutput):
    """A span of one power."""

    vehicle: str
    from_utc: datetime
    until_utc: datetime
    power_kw: float = Field(description="drawn")


class VehicleAnswer(ToolOutput):
    """What a vehicle gets."""

    vehicle: str
    charged_kwh: float
    missing_kwh: float = Field(description="not possible in time; 0 when it leaves as asked")


class ChargingAnswer(ToolOutput):
    """A plan; nothing is switched by it."""

    prefer: str
    currency: str
    planned_at: datetime
    known_until: datetime = Field(description="end of the last quarter-hour with a known price or outlook")
    cost: float | None = Field(description="None where a price is not known")
    cost_at_once: float | None = Field(description="of charging as early as possible")
    missing_kwh: float
    vehicles: list[VehicleAnswer]
    spans: list[ChargingSpan]


async def run(request: ChargingRequest, context: ToolContext) -> ChargingAnswer:
    """Plan beside the event loop: a depot's plan may take some tenths of a second."""
    site = context.site(request.site)
    horizon = _horizon(request, context)
    prices = prices_per_mwh(context, site.name, horizon)
    cheapest = request.prefer == "cheapest"
    weights = prices if cheapest else expected_net_load_kw(context, horizon)
    if np.isnan(weights).all():
        raise ToolUnavailableError(
            f"site={site.name!r} has no known price before the last vehicle leaves;"
            f" ask for site={AREA_SITE!r}, or later"
        )
    vehicles = [_vehicle(asked, horizon) for asked in request.vehicles]
    planned = await asyncio.to_thread(plan_charging, vehicles, weights, STEP_H, request.depot_kw)
    steps = np.where(np.isnan(weights), np.nan, np.arange(horizon.steps, dtype=np.float64))
    at_once = await asyncio.to_thread(plan_charging, vehicles, steps, STEP_H, request.depot_kw)
    found = [_vehicle_answer(*pair) for pair in zip(request.vehicles, planned, strict=True)]
    return ChargingAnswer(
        prefer=request.prefer,
        currency=context.currency,
        planned_at=context.clock.now(),
        known_until=horizon.border(int(np.flatnonzero(~np.isnan(weights))[-1]) + 1),
        cost=_cost(planned, prices),
        cost_at_once=_cost(at_once, prices),
        missing_kwh=sum(vehicle.missing_kwh for vehicle in found),
        vehicles=found,
        spans=list(_spans(request.vehicles, planned, horizon)),
    )


def _horizon(request: ChargingRequest, context: ToolContext) -> Horizon:
    """The steps until the last vehicle leaves."""
    last = max(vehicle.ready_by for vehicle in request.vehicles)
    horizon = horizon_until(context, last)
    if horizon.steps < 1:
        raise ToolInputError(
            f"ready_by={last.isoformat()} leaves no whole quarter-hour from {context.clock.now().isoformat()}"
            " on; give a later one"
        )
    if horizon.steps * STEP_H > LONGEST_H:
        raise ToolInputError(
            f"ready_by={last.isoformat()} is more than {LONGEST_H} h ahead; plan nearer trips"
        )
    return horizon


def _vehicle(asked: VehicleRequest, horizon: Horizon) -> Vehicle:
    first = 0
    if asked.here_from is not None:
        first = horizon.begun_by(asked.here_from + STEP - asked.here_from.resolution)
    return Vehicle(asked.energy_kwh, asked.max_kw, first, horizon.begun_by(asked.ready_by))


def _vehicle_answer(asked: VehicleRequest, powers_kw: Floats) -> VehicleAnswer:
    charged_kwh = round(float(powers_kw.sum()) * STEP_H, 3)
    missing_kwh = max(0.0, round(asked.energy_kwh - charged_kwh, 3))
    return VehicleAnswer(vehicle=asked.name, charged_kwh=charged_kwh, missing_kwh=missing_kwh)


def _cost(planned: Floats, prices: Floats) -> float | None:
    energy_mwh = planned.sum(axis=0) * STEP_H / 1000.0
    charging = energy_mwh > 0
    if np.isnan(prices[charging]).any():
        return None
    return round(float((energy_mwh * prices)[charging].sum()), 4)


def _spans(vehicles: Sequence[VehicleRequest], planned: Floats, horizon: Horizon) -> Iterator[ChargingSpan]:
    """Neighbouring steps of one power as one span; rests are left out."""
    for asked, powers_kw in zip(vehicles, planned, strict=True):
        step = 0
        for power_kw, steps in groupby(powers_kw.round(2).tolist()):
            end = step + len(list(steps))
            if power_kw >= LEAST_KW:
                yield ChargingSpan(
                    vehicle=asked.name,
                    from_utc=horizon.border(step),
                    until_utc=horizon.border(end),
                    power_kw=power_kw,
                )
            step = end


tool = Tool(
    name="plan_depot_charging",
    title="Plan a depot's charging",
    description=(
        "When each electric vehicle of a depot should charge so that all leave in time, in the cheapest or"
        " the greenest quarter-hours; says what it costs and what is missing. Switches nothing."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=ChargingRequest,
    output_model=ChargingAnswer,
    run=run,
    toolset="ev_charging",
)
