"""The response policy: keep the metered 30-minute change within the ramp limit.

It looks at the forecast's band: the coming interval's change may lie anywhere from its P10 to its P90.
When that can pass the limit, or an instability event is open, it holds the battery where the joint
plan (:mod:`policies.plan`) wants it and leaves trading the range that makes the ramp no worse. It never
charges ahead of a ramp by itself: that is part of the plan, which trading follows, so no ramp is
prepared for twice. The battery comes first; the peaker starts when the plan with it costs less, after
fuel and start, than the plan without.
"""

import numpy as np
from numpy.typing import NDArray

from policies.asset_ranges import battery_range_kw, peaker_range_kw, started_range_kw
from policies.horizon import Outlook, outlook_of
from policies.plan import Plan, injected_before_kw, make_plan
from policies.view import Decision, GridView

START_MARGIN = 1.2
"""A start has to save this many times what it costs: it acts an interval later, on a forecast."""


def decide(view: GridView) -> tuple[Decision, ...]:
    """What the grid's stability asks of battery and peaker for the coming interval.

    Returns:
        nothing while no event is open, no ramp is near and the peaker is off.
    """
    outlook = outlook_of(view)
    near = _passes_limit(view, outlook)
    if not (near.any() or view.event_id is not None or view.peaker_on):
        return ()
    plan = make_plan(view, outlook, *peaker_range_kw(view, outlook.grid))
    decisions = []
    if view.event_id is not None or near[0]:
        battery = _battery(view, outlook, plan)
        decisions += [battery] if battery is not None else []
    peaker = _run_peaker(view, plan) if view.peaker_on else _start_peaker(view, outlook, plan)
    return (*decisions, peaker) if peaker is not None else tuple(decisions)


def _passes_limit(view: GridView, outlook: Outlook) -> NDArray[np.bool_]:
    """Whether the metered change may pass the limit within each of the next 30 minutes' intervals,
    if the assets keep what they do now."""
    window = outlook.grid.window
    if not window:
        return np.zeros(1, dtype=np.bool_)
    moved_kw = view.battery_kw + view.peaker_kw - injected_before_kw(view, window)
    change_kw = outlook.change_kw[:window] - moved_kw
    high_kw, low_kw = change_kw + outlook.above_kw[:window], change_kw - outlook.below_kw[:window]
    return np.asarray((high_kw > view.ramp_limit_kw) | (low_kw < -view.ramp_limit_kw))


def _battery(view: GridView, outlook: Outlook, plan: Plan) -> Decision | None:
    """The plan's power for the coming interval, and the range around it that adds no ramp."""
    change_kw = float(outlook.change_kw[0])
    if np.isnan(change_kw):
        return None
    target_kw = float(np.clip(plan.battery_kw[0], *battery_range_kw(view)))
    base_kw = injected_before_kw(view, outlook.grid.window)[0] - float(plan.peaker_kw[0])
    # Battery power may lie anywhere in here without the band's change passing the limit.
    safe = (
        base_kw + change_kw + float(outlook.above_kw[0]) - view.ramp_limit_kw,
        base_kw + change_kw - float(outlook.below_kw[0]) + view.ramp_limit_kw,
    )
    lower_kw, upper_kw = _leave(target_kw, safe, battery_range_kw(view))
    reason = (
        f"30-minute change of {change_kw:+.0f} kW expected "
        f"({-outlook.below_kw[0]:.0f}/{outlook.above_kw[0]:+.0f}), limit {view.ramp_limit_kw:.0f} kW: "
        f"battery {target_kw:+.0f} kW, free from {lower_kw:.0f} to {upper_kw:.0f}"
    )
    return Decision("battery", target_kw, lower_kw, upper_kw, view.interval_s, reason)


def _leave(
    target_kw: float, safe_kw: tuple[float, float], device_kw: tuple[float, float]
) -> tuple[float, float]:
    """The range between the target and what is safe, as far as the device goes."""
    if safe_kw[0] > safe_kw[1]:  # a band wider than the limit leaves nothing safe
        return target_kw, target_kw
    low_kw, high_kw = np.clip(safe_kw, *device_kw)
    return min(target_kw, float(low_kw)), max(target_kw, float(high_kw))


def _run_peaker(view: GridView, plan: Plan) -> Decision:
    """Steer a running peaker; below half its minimum load it is better off."""
    spec, wanted_kw = view.peaker, float(plan.peaker_kw[0])
    stays = view.peaker_in_state_s < spec.min_up_s or wanted_kw >= spec.min_power_kw / 2
    power_kw = min(max(wanted_kw, spec.min_power_kw), spec.power_kw) if stays else 0.0
    what = f"peaker at {power_kw:.0f} kW" if stays else "peaker off: it no longer pays"
    reason = f"{what}; expected ramp penalty ahead {plan.penalty_usd:.0f} USD"
    return Decision("peaker", power_kw, power_kw, power_kw, view.interval_s, reason)


def _better_later(view: GridView, outlook: Outlook, plan: Plan) -> bool:
    """Whether a start an interval later costs less: then there is time to know more.

    One that was approved is not put off again: it was asked for when it was due.
    """
    if view.peaker_start == "approved":
        return False
    return make_plan(view, outlook, *started_range_kw(view, outlook.grid, 1)).cost_usd < plan.cost_usd


def _start_peaker(view: GridView, outlook: Outlook, without: Plan) -> Decision | None:
    """Ask for a start, if what it saves after fuel passes its cost by the margin.

    None without a forecast: a start acts an interval later at the earliest, so it cannot rest on what
    was measured.
    """
    spec = view.peaker
    barred = (
        view.forecast is None
        or view.peaker_start == "pending"
        or view.peaker_starts_today >= spec.max_starts_per_day
        or view.peaker_in_state_s < spec.min_down_s
        or outlook.grid.steps - outlook.grid.idle < 2
        or without.penalty_usd < START_MARGIN * spec.start_usd
    )
    if barred:
        return None
    plan = make_plan(view, outlook, *started_range_kw(view, outlook.grid))
    saved_usd = without.cost_usd - plan.cost_usd
    if saved_usd < START_MARGIN * spec.start_usd or _better_later(view, outlook, plan):
        return None
    begins = 0 if view.peaker_start == "approved" else 1
    power_kw = min(max(float(plan.peaker_kw[begins]), spec.min_power_kw), spec.power_kw)
    reason = (
        f"peaker start: expected ramp penalty {plan.penalty_usd:.0f} USD, {without.penalty_usd:.0f} USD "
        f"without it; {saved_usd:.0f} USD saved after fuel against {spec.start_usd:.0f} USD for the start"
    )
    duration_s = max(spec.min_up_s, view.interval_s)
    return Decision("peaker", power_kw, power_kw, power_kw, duration_s, reason, saved_usd - spec.start_usd)
