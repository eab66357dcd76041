"""The rules that hold for every setpoint, whoever asks: each takes a power back to what is possible.

Each rule sees the power in kW so far and returns a :class:`Finding` with the power that it leaves,
or None when it has nothing to say. They run in the order of the tables; SoC and cycles come last,
so that they win over the ramp, as they do in the battery itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from grid.assets import BatterySpec
from grid.units import SECONDS_PER_HOUR
from policies.limits import PlantLimits
from policies.proposal import AssetName
from policies.verdict import Finding, GuardrailState


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What a rule sees; ``power_kw`` is what the rules before it left."""

    power_kw: float
    state: GuardrailState
    limits: PlantLimits


PhysicalRule = Callable[[Setpoint], Finding | None]
TOLERANCE = 1e-9
"""Relative to the rated power: differences below it are rounding, not a breach."""


def _within(rule: str, quote: str, power_kw: float, bounds_kw: tuple[float, float]) -> Finding | None:
    low_kw, high_kw = bounds_kw
    left_kw = min(max(power_kw, low_kw), high_kw)
    return None if left_kw == power_kw else Finding(rule, quote, "clip", left_kw)


def battery_power(case: Setpoint) -> Finding | None:
    """The battery's rated power, both ways."""
    rated_kw = case.limits.battery.power_kw
    quote = f"battery.power_kw = {rated_kw:.1f}: {case.power_kw:.1f} kW asked"
    return _within("battery_power", quote, case.power_kw, (-rated_kw, rated_kw))


def battery_ramp(case: Setpoint) -> Finding | None:
    """How far the battery's power may move within the coming interval."""
    now_kw, reach_kw = case.state.battery.power_kw, case.limits.battery.ramp_kw_per_s * case.state.interval_s
    quote = (
        f"battery.ramp_kw_per_s = {case.limits.battery.ramp_kw_per_s:.1f}: "
        f"{now_kw:.1f} kW now, {case.power_kw:.1f} kW asked"
    )
    return _within("battery_ramp", quote, case.power_kw, (now_kw - reach_kw, now_kw + reach_kw))


def battery_soc(case: Setpoint) -> Finding | None:
    """What the stored energy, or the room left for it, sustains over the coming interval."""
    spec = case.limits.battery
    quote = (
        f"battery.soc_min = {spec.soc_min:.0%}, soc_max = {spec.soc_max:.0%}: "
        f"{case.state.battery.soc_kwh / spec.energy_kwh:.1%} of {spec.energy_kwh:.1f} kWh stored"
    )
    return _within(
        "battery_soc", quote, case.power_kw, case.state.battery.power_range_kw(spec, case.state.interval_s)
    )


def battery_cycles(case: Setpoint) -> Finding | None:
    """What is left of the day's cycles."""
    spec = case.limits.battery
    used = case.state.battery_discharged_today_kwh / spec.energy_kwh
    quote = f"battery.max_cycles_per_day = {spec.max_cycles_per_day:g}: {used:.2f} used today"
    return _within("battery_cycles", quote, case.power_kw, (-spec.power_kw, cycles_left_kw(spec, case.state)))


def cycles_left_kw(spec: BatterySpec, state: GuardrailState) -> float:
    """The discharge power in kW that the day's cycles allow over the coming interval."""
    left_kwh = max(0.0, spec.max_cycles_per_day * spec.energy_kwh - state.battery_discharged_today_kwh)
    return left_kwh * spec.one_way_efficiency / (state.interval_s / SECONDS_PER_HOUR)


def peaker_power(case: Setpoint) -> Finding | None:
    """The peaker's rated power; it never absorbs."""
    rated_kw = case.limits.peaker.power_kw
    quote = f"peaker.power_kw = {rated_kw:.1f}: {case.power_kw:.1f} kW asked"
    return _within("peaker_power", quote, case.power_kw, (0.0, rated_kw))


def peaker_min_load(case: Setpoint) -> Finding | None:
    """Between zero and the minimum load it cannot run: from half of it on raised, below it off."""
    floor_kw = case.limits.peaker.min_power_kw
    if case.power_kw <= 0 or case.power_kw >= floor_kw:
        return None
    left_kw = floor_kw if case.power_kw >= floor_kw / 2 else 0.0
    return Finding(
        "peaker_min_load", f"minimum load = {floor_kw:.1f} kW: {case.power_kw:.1f} kW asked", "clip", left_kw
    )


def peaker_min_up(case: Setpoint) -> Finding | None:
    """A running peaker stays at its minimum load until its minimum up time ends."""
    if case.power_kw > 0 or not case.state.peaker.must_run(case.limits.peaker):
        return None
    quote = (
        f"peaker.min_up_s = {case.limits.peaker.min_up_s:.0f}: on for {case.state.peaker.in_state_s:.0f} s"
    )
    return Finding("peaker_min_up", quote, "clip", case.limits.peaker.min_power_kw)


def peaker_min_down(case: Setpoint) -> Finding | None:
    """A stopped peaker stays off until its minimum down time ends."""
    if case.power_kw <= 0 or case.state.peaker.on or case.state.peaker.may_start(case.limits.peaker):
        return None
    off_s = case.state.peaker.in_state_s
    quote = f"peaker.min_down_s = {case.limits.peaker.min_down_s:.0f}: off for {off_s:.0f} s"
    return Finding("peaker_min_down", quote, "clip", 0.0)


def peaker_starts(case: Setpoint) -> Finding | None:
    """No start beyond the day's number of starts."""
    starts, most = case.state.peaker_starts_today, case.limits.peaker.max_starts_per_day
    if case.power_kw <= 0 or case.state.peaker.on or starts < most:
        return None
    quote = f"peaker.max_starts_per_day = {most}: {starts} today"
    return Finding("peaker_starts", quote, "clip", 0.0)


def peaker_ramp(case: Setpoint) -> Finding | None:
    """How far the power may move: a start begins at the minimum load, a stop unloads down to it first."""
    spec, peaker = case.limits.peaker, case.state.peaker
    now_kw = peaker.power_kw if peaker.on else spec.min_power_kw
    reach_kw = spec.ramp_kw_per_s * case.state.interval_s
    unloads = peaker.on and now_kw - reach_kw > spec.min_power_kw
    if case.power_kw <= 0 and not unloads:
        return None
    quote = (
        f"peaker.ramp_kw_per_s = {spec.ramp_kw_per_s:.1f}: {now_kw:.1f} kW now, {case.power_kw:.1f} kW asked"
    )
    return _within("peaker_ramp", quote, case.power_kw, (now_kw - reach_kw, now_kw + reach_kw))


PHYSICAL_RULES: dict[AssetName, tuple[PhysicalRule, ...]] = {
    "battery": (battery_power, battery_ramp, battery_soc, battery_cycles),
    "peaker": (peaker_power, peaker_min_load, peaker_min_up, peaker_min_down, peaker_starts, peaker_ramp),
}


def clip_to_physics(
    asset: AssetName, power_kw: float, state: GuardrailState, limits: PlantLimits
) -> tuple[float, tuple[Finding, ...]]:
    """The power that the asset can hold over the coming interval, and the rules that took it there.

    Invariants:
        the result lies within power, ramp, SoC and cycle limits, and the peaker's state machine;
        applied to itself it stays the same.
    """
    findings: list[Finding] = []
    for rule in PHYSICAL_RULES[asset]:
        finding = rule(Setpoint(power_kw, state, limits))
        if finding is not None and finding.power_kw is not None:
            power_kw = finding.power_kw
            findings.append(finding)
    return power_kw, tuple(findings)
