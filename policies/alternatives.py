"""What else could have been done at a decision, and what the plan of that moment expects of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from grid.assets import BatteryState
from policies.asset_ranges import battery_range_kw, peaker_range_kw, started_range_kw
from policies.errors import PlanError
from policies.horizon import Outlook, outlook_of
from policies.plan import Plan, make_plan
from policies.proposal import AssetName
from policies.view import GridView


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something that could have been done.

    Attributes:
        what: in words.
        asset, power_kw: held for as long as the decision, positive injects.
        cost_usd: expected over the plan's horizon, if the plan goes on after it; None where the plant
            could not do it.
    """

    what: str
    asset: AssetName
    power_kw: float
    cost_usd: float | None


def weighed(view: GridView, asset: AssetName, power_kw: float, duration_s: float) -> list[Alternative]:
    """The decision itself first, then what else could have been done, each from what the view knows.

    Args:
        view: at the decision.
        asset, power_kw: what was decided, positive injects.
        duration_s: for how long.
    """
    outlook = outlook_of(view)
    steps = min(outlook.grid.fine, max(1, round(duration_s / view.interval_s)))
    options = [("as decided", asset, power_kw), *_others(view, asset, power_kw)]
    return [
        Alternative(what, which, kw, _cost_usd(view, outlook, which, kw, steps))
        for what, which, kw in options
    ]


def _others(view: GridView, asset: AssetName, power_kw: float) -> Iterator[tuple[str, AssetName, float]]:
    if power_kw != 0.0:
        yield "no action", asset, 0.0
        yield "half the power", asset, power_kw / 2
    if asset == "peaker":
        if power_kw > 0.0:
            yield "the battery instead", "battery", min(power_kw, view.battery.power_kw)
        return
    low_kw, high_kw = battery_range_kw(view)
    for what, full_kw in (("full discharge", high_kw), ("full charge", low_kw)):
        if abs(full_kw - power_kw) > 0.01 * view.battery.power_kw:
            yield what, "battery", full_kw
    if power_kw > 0.0:
        spec = view.peaker
        yield "the peaker instead", "peaker", min(max(power_kw, spec.min_power_kw), spec.power_kw)


def _cost_usd(
    view: GridView, outlook: Outlook, asset: AssetName, power_kw: float, steps: int
) -> float | None:
    try:
        if asset == "battery":
            held_kw = _sustained_kw(view, power_kw, steps)
            return make_plan(view, outlook, *peaker_range_kw(view, outlook.grid), held_kw).cost_usd
        return _peaker_cost_usd(view, outlook, power_kw, steps)
    except PlanError:
        return None


def _sustained_kw(view: GridView, power_kw: float, steps: int) -> list[float]:
    """The power in each interval, as far as the energy goes."""
    battery, held = BatteryState(view.soc_kwh), []
    spec = replace(view.battery, ramp_kw_per_s=float("inf"))
    for _ in range(steps):
        battery = battery.step(spec, power_kw, view.interval_s)
        held.append(battery.power_kw)
    return held


def _peaker_cost_usd(view: GridView, outlook: Outlook, power_kw: float, steps: int) -> float | None:
    """With its start, where it is off; None where its state or its minimum load does not allow it."""
    spec = view.peaker
    if power_kw > 0.0 and not spec.min_power_kw <= power_kw <= spec.power_kw:
        return None
    if power_kw <= 0.0:
        if view.peaker_on and view.peaker_in_state_s < spec.min_up_s:
            return None
        low_kw, high_kw = peaker_range_kw(replace(view, peaker_on=False), outlook.grid)
        return make_plan(view, outlook, low_kw, high_kw).cost_usd
    if view.peaker_on:
        return _held_gas(view, outlook, power_kw, steps).cost_usd
    barred = view.peaker_in_state_s < spec.min_down_s or view.peaker_starts_today >= spec.max_starts_per_day
    return None if barred else _held_gas(view, outlook, power_kw, steps).cost_usd + spec.start_usd


def _held_gas(view: GridView, outlook: Outlook, power_kw: float, steps: int) -> Plan:
    if view.peaker_on:
        low_kw, high_kw = peaker_range_kw(view, outlook.grid)
    else:
        low_kw, high_kw = started_range_kw(replace(view, peaker_start="approved"), outlook.grid)
    low_kw[:steps], high_kw[:steps] = power_kw, power_kw
    return make_plan(view, outlook, low_kw, high_kw)
