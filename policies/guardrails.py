"""Guardrails: may this proposal act, and with how much power?

Pure and deterministic. Each rule is one small function in a table and answers with a
:class:`Finding` that names the rule and quotes the limit. Their effects, strictest last:

- ``clip``: the power is taken back to what the limit allows (:mod:`policies.physical_rules`).
  A request of which nothing is left is denied.
- ``needs_approval``: a person has to agree. An approval lifts exactly these findings.
- ``deny``: nobody can lift it.

What the rules decide where the words leave it open:

- *Stale or distrusted telemetry, a halt*: autonomous dispatch is denied; a person's needs an
  approval, because the remedy in an outage may be to act by hand, but never on one pair of eyes;
  to stop an asset (0 kW) needs none.
- *State of charge and cycles* bound the power of the coming interval only; the executor looks
  again before each one, so that a proposal of four hours is not denied for its last minute.
- *The peaker's minimum load*: from half of it on a request is raised to the minimum, below it
  means off, exactly as the machine itself behaves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from policies.costs import dispatch_cost_usd
from policies.limits import PlantLimits
from policies.physical_rules import TOLERANCE, clip_to_physics
from policies.principal import is_autonomous
from policies.proposal import AssetName, Proposal
from policies.provisions import EMERGENCY_PLANS
from policies.verdict import Finding, GuardrailState, Outcome, Verdict

__all__ = ["Finding", "GuardrailState", "Verdict", "evaluate", "evaluate_setpoint"]


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule sees; ``power_kw`` is what the clips left."""

    proposal: Proposal
    power_kw: float
    state: GuardrailState
    limits: PlantLimits


Rule = Callable[[Case], Finding | None]

SHORTEST_S = 1.0
"""A dispatch shorter than this reaches no device."""

_STRICTNESS: dict[Outcome, int] = {"allow": 0, "clip": 1, "needs_approval": 2, "deny": 3}


def _gate(proposal: Proposal, rule: str, quote: str) -> Finding | None:
    """Denies the autonomy; asks for a second person where a person acts, unless to stop an asset."""
    if is_autonomous(proposal.requester):
        return Finding(rule, quote, "deny")
    return None if proposal.power_kw == 0 else Finding(rule, quote, "needs_approval")


def finite_request(case: Case) -> Finding | None:
    """Power and bounds are finite and in order; the duration is at least a second and not too long."""
    low_kw, high_kw = case.proposal.bounds_kw
    if not all(map(math.isfinite, (case.proposal.power_kw, low_kw, high_kw, case.proposal.duration_s))):
        return Finding("finite_request", "power, bounds and duration must be finite numbers", "deny")
    if not low_kw <= case.proposal.power_kw <= high_kw:
        quote = f"power_kw {case.proposal.power_kw:.1f} lies outside its bounds {low_kw:.1f} to {high_kw:.1f}"
        return Finding("finite_request", quote, "deny")
    if not SHORTEST_S <= case.proposal.duration_s <= case.limits.max_duration_s:
        asked = f"{case.proposal.duration_s:g} s asked"
        quote = (
            f"at least {SHORTEST_S:g} s, actions.max_duration_s = {case.limits.max_duration_s:.0f}: {asked}"
        )
        return Finding("finite_request", quote, "deny")
    return None


def kill_switch(case: Case) -> Finding | None:
    """While the autonomy is halted."""
    return _gate(case.proposal, "kill_switch", "the autonomy is halted") if case.state.halted else None


def stale_telemetry(case: Case) -> Finding | None:
    """The newest pulse is too old, or there is none."""
    age_s = case.state.telemetry_age_s
    if age_s is not None and age_s <= case.limits.max_age_s:
        return None
    what = "no pulse yet" if age_s is None else f"the newest pulse is {age_s:.0f} s old"
    return _gate(
        case.proposal, "stale_telemetry", f"telemetry.max_age_s = {case.limits.max_age_s:.0f}: {what}"
    )


def untrusted_telemetry(case: Case) -> Finding | None:
    """False data is suspected."""
    if case.state.trust >= case.limits.min_trust:
        return None
    return _gate(
        case.proposal,
        "untrusted_telemetry",
        f"telemetry.min_trust = {case.limits.min_trust:.2f}: trust is {case.state.trust:.2f}",
    )


def action_rate(case: Case) -> Finding | None:
    """Too many accepted proposals of one requester in an hour."""
    if case.state.actions_last_hour < case.limits.max_actions_per_hour:
        return None
    quote = (
        f"actions.max_actions_per_hour = {case.limits.max_actions_per_hour}: "
        f"{case.state.actions_last_hour} in the last hour"
    )
    return Finding("action_rate", quote, "deny")


def _cost_usd(case: Case) -> float:
    return dispatch_cost_usd(
        case.proposal.asset, case.power_kw, case.proposal.duration_s, case.state, case.limits
    )


def cost_per_dispatch(case: Case) -> Finding | None:
    """The ceiling on one dispatch's cost."""
    ceiling = (
        case.limits.max_usd_per_battery_dispatch
        if case.proposal.asset == "battery"
        else case.limits.max_usd_per_peaker_dispatch
    )
    cost = _cost_usd(case)
    quote = f"cost.max_usd_per_dispatch = {ceiling:.2f}: up to {cost:.2f} USD"
    return Finding("cost_per_dispatch", quote, "deny") if cost > ceiling else None


def cost_per_day(case: Case) -> Finding | None:
    """The ceiling on the day's cost."""
    cost = _cost_usd(case)
    if cost <= 0 or case.state.spent_today_usd + cost <= case.limits.max_usd_per_day:
        return None
    quote = (
        f"cost.max_usd_per_day = {case.limits.max_usd_per_day:.2f}: "
        f"{case.state.spent_today_usd:.2f} USD spent, up to {cost:.2f} more"
    )
    return Finding("cost_per_day", quote, "deny")


def peaker_start(case: Case) -> Finding | None:
    """A start of the peaker is high impact."""
    if (
        case.proposal.asset != "peaker"
        or case.power_kw <= 0
        or case.state.peaker.on
        or not case.limits.approval_peaker_start
    ):
        return None
    return Finding("peaker_start", "approval.peaker_start: a start needs a person", "needs_approval")


def approval_power(case: Case) -> Finding | None:
    """More power than may act without a person."""
    if abs(case.power_kw) <= case.limits.approval_power_kw * (1 + TOLERANCE):
        return None
    quote = f"approval.power_kw = {case.limits.approval_power_kw:.1f}: {abs(case.power_kw):.1f} kW asked"
    return Finding("approval_power", quote, "needs_approval")


def approval_cost(case: Case) -> Finding | None:
    """More cost than may be spent without a person."""
    threshold = (
        case.limits.approval_usd_battery
        if case.proposal.asset == "battery"
        else case.limits.approval_usd_peaker
    )
    cost = _cost_usd(case)
    quote = f"approval.cost_usd = {threshold:.2f}: up to {cost:.2f} USD"
    return Finding("approval_cost", quote, "needs_approval") if cost > threshold else None


def emergency(case: Case) -> Finding | None:
    """In an emergency a person decides, where the limits say so."""
    if not (case.state.emergency and case.limits.approval_emergency):
        return None
    quote = f"approval.emergency: the area is in an emergency ({EMERGENCY_PLANS.citation})"
    return Finding("emergency", quote, "needs_approval")


RULES: tuple[Rule, ...] = (
    kill_switch,
    stale_telemetry,
    untrusted_telemetry,
    action_rate,
    cost_per_dispatch,
    cost_per_day,
    peaker_start,
    approval_power,
    approval_cost,
    emergency,
)


def evaluate(
    proposal: Proposal, state: GuardrailState, limits: PlantLimits, *, approved: bool = False
) -> Verdict:
    """Judge a proposal.

    Args:
        proposal: what is asked.
        state: what is known now.
        limits: of this plant.
        approved: a person agreed; lifts the findings that ask for one, and only those.

    Returns:
        the strictest effect of any rule, the power that is left, and all findings. The power of a
        verdict that does not act is 0.
    """
    broken = finite_request(Case(proposal, proposal.power_kw, state, limits))
    if broken is not None:
        return Verdict("deny", 0.0, (broken,))
    power_kw, clips = clip_to_physics(proposal.asset, proposal.power_kw, state, limits)
    findings = [*clips]
    if proposal.power_kw != 0 and _nothing_left(proposal.asset, power_kw, limits):
        findings = [Finding(clip.rule, clip.quote, "deny") for clip in clips]
    case = Case(proposal, power_kw, state, limits)
    for rule in RULES:
        finding = rule(case)
        if finding is not None and not (approved and finding.effect == "needs_approval"):
            findings.append(finding)
    outcome: Outcome = "allow"
    for finding in findings:
        outcome = max(outcome, finding.effect, key=_STRICTNESS.__getitem__)
    return Verdict(outcome, 0.0 if outcome == "deny" else power_kw, tuple(findings))


def _nothing_left(asset: AssetName, power_kw: float, limits: PlantLimits) -> bool:
    rated_kw = limits.battery.power_kw if asset == "battery" else limits.peaker.power_kw
    return abs(power_kw) <= TOLERANCE * rated_kw


def evaluate_setpoint(
    asset: AssetName, target_kw: float | None, state: GuardrailState, limits: PlantLimits
) -> Verdict:
    """The executor's last look at a merged setpoint, just before the driver.

    Args:
        asset: ``battery`` or ``peaker``.
        target_kw: what the arbiter merged; None when no proposal is live: the safe setpoint, i.e. the
            battery to zero, the peaker to its minimum until its minimum up time ends, then off.
        state: what is known now.
        limits: of this plant.

    Returns:
        ``allow`` or ``clip`` with a setpoint that breaks no physical limit over the coming interval.
    """
    wanted_kw = 0.0 if target_kw is None or not math.isfinite(target_kw) else target_kw
    power_kw, findings = clip_to_physics(asset, wanted_kw, state, limits)
    return Verdict("clip" if findings else "allow", power_kw, findings)
