"""No sequence of setpoints leaves a limit; oracle: the assets' own step functions, played on."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.assets import BatteryState, PeakerState
from policies.guardrails import evaluate, evaluate_setpoint
from policies.limits import Limits, PlantLimits, Scale
from policies.proposal import Proposal
from policies.verdict import GuardrailState

SCALE = Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0)
POWERS = st.one_of(st.none(), st.floats(-3000, 3000), st.sampled_from([0.0, 150.0, 299.9, 300.0, 1000.0]))
BATTERIES = st.fixed_dictionaries(
    {
        "energy_hours": st.floats(0.1, 4),
        "round_trip_efficiency": st.floats(0.5, 1),
        "soc_min": st.sampled_from([0.0, 0.1, 0.3]),
        "soc_max": st.sampled_from([0.7, 0.9, 1.0]),
        "max_cycles_per_day": st.floats(0, 3),
        "ramp_kw_per_s": st.one_of(st.just("auto"), st.floats(0.5, 50)),
    }
)
PEAKERS = st.fixed_dictionaries(
    {
        "min_power_pct": st.floats(5, 100),
        "min_up_s": st.sampled_from([0.0, 300.0, 1000.0, 3600.0]),
        "min_down_s": st.sampled_from([0.0, 300.0, 1000.0]),
        "max_starts_per_day": st.integers(0, 3),
        "ramp_kw_per_s": st.one_of(st.just("auto"), st.floats(0.5, 50)),
    }
)


def start(limits: PlantLimits, interval_s: float) -> GuardrailState:
    return GuardrailState(interval_s, limits.battery.initial_state(), PeakerState(), telemetry_age_s=0.0)


@settings(max_examples=80)
@given(BATTERIES, st.lists(POWERS, min_size=1, max_size=60), st.sampled_from([5.0, 300.0, 1800.0]))
def test_the_battery_holds_every_setpoint_it_is_given_and_keeps_its_limits(
    section: dict[str, object], wishes: list[float | None], interval_s: float
) -> None:
    limits = Limits.model_validate({"battery": section}).resolve(SCALE)
    spec, state = limits.battery, start(limits, interval_s)
    for wish in wishes:
        setpoint_kw = evaluate_setpoint("battery", wish, state, limits).power_kw
        after = state.battery.step(spec, setpoint_kw, interval_s)
        assert after.power_kw == pytest.approx(setpoint_kw, abs=1e-6)
        assert abs(setpoint_kw) <= spec.power_kw
        assert spec.soc_min * spec.energy_kwh <= after.soc_kwh <= spec.soc_max * spec.energy_kwh
        assert after.cycles(spec) <= spec.max_cycles_per_day + 1e-9
        state = replace(state, battery=after, battery_discharged_today_kwh=after.cell_discharged_kwh)


@settings(max_examples=80)
@given(PEAKERS, st.lists(POWERS, min_size=1, max_size=60), st.sampled_from([5.0, 300.0, 1800.0]))
def test_the_peaker_holds_every_setpoint_it_is_given_and_keeps_its_limits(
    section: dict[str, object], wishes: list[float | None], interval_s: float
) -> None:
    limits = Limits.model_validate({"peaker": section}).resolve(SCALE)
    spec, state = limits.peaker, start(limits, interval_s)
    for wish in wishes:
        before = state.peaker
        setpoint_kw = evaluate_setpoint("peaker", wish, state, limits).power_kw
        after = before.step(spec, setpoint_kw, interval_s)
        assert after.power_kw == pytest.approx(setpoint_kw, abs=1e-6)
        assert after.on == (setpoint_kw > 0)
        assert setpoint_kw == 0 or spec.min_power_kw - 1e-9 <= setpoint_kw <= spec.power_kw
        assert after.starts <= spec.max_starts_per_day
        assert after.on or not before.on or before.in_state_s >= spec.min_up_s
        assert before.on or not after.on or before.in_state_s >= spec.min_down_s
        state = replace(state, peaker=after, peaker_starts_today=after.starts)


@settings(max_examples=100)
@given(
    proposal=st.builds(
        Proposal,
        asset=st.sampled_from(["battery", "peaker"]),
        power_kw=st.floats(allow_nan=True, allow_infinity=True),
        duration_s=st.one_of(st.floats(1, 14_400), st.floats(allow_nan=True, allow_infinity=True)),
        reason=st.just("test"),
        requester=st.sampled_from(["supervisor:trading", "local:ana"]),
        priority=st.just(10),
        idempotency_key=st.just("key"),
    ),
    approved=st.booleans(),
    state=st.builds(
        GuardrailState,
        st.just(300.0),
        trust=st.floats(0, 1),
        halted=st.booleans(),
        battery=st.builds(BatteryState, st.floats(0, 2000)),
        peaker=st.just(PeakerState()),
        telemetry_age_s=st.just(0.0),
    ),
)
def test_whatever_is_asked_the_verdict_stays_within_the_ratings_and_says_why(
    proposal: Proposal, approved: bool, state: GuardrailState
) -> None:
    limits = Limits().resolve(SCALE)
    verdict = evaluate(proposal, state, limits, approved=approved)
    assert abs(verdict.power_kw) <= 1000.0
    assert verdict == evaluate(proposal, state, limits, approved=approved)
    if verdict.outcome == "allow":
        assert verdict.power_kw == proposal.power_kw
        assert not verdict.findings
    else:
        assert any(finding.effect == verdict.outcome for finding in verdict.findings)
    if verdict.outcome == "deny":
        assert verdict.power_kw == 0
    if approved:
        assert verdict.outcome != "needs_approval"
    if state.halted and proposal.requester.startswith("supervisor:"):
        assert verdict.outcome == "deny"
