import math
from dataclasses import replace

import pytest

from grid.assets import BatteryState, PeakerState
from policies.guardrails import evaluate, evaluate_setpoint
from policies.limits import Limits, PlantLimits, Scale
from policies.principal import PRIORITY_PERSON, PRIORITY_RESPONSE
from policies.proposal import AssetName, Proposal
from policies.verdict import GuardrailState, Verdict

SCALE = Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0)
LIMITS = Limits().resolve(SCALE)  # battery 1 MW, 2 MWh; peaker 300 to 1000 kW
HALF = GuardrailState(
    interval_s=300.0,
    battery=BatteryState(soc_kwh=1000.0),
    peaker=PeakerState(),
    telemetry_age_s=10.0,
    price_usd_per_mwh=30.0,
)


def ask(
    power_kw: float,
    asset: AssetName = "battery",
    requester: str = "supervisor:response",
    duration_s: float = 300.0,
) -> Proposal:
    autonomous = requester.startswith("supervisor:")
    return Proposal(
        asset=asset,
        power_kw=power_kw,
        duration_s=duration_s,
        reason="test",
        requester=requester,
        priority=PRIORITY_RESPONSE if autonomous else PRIORITY_PERSON,
        idempotency_key="key",
    )


def rules(verdict: Verdict) -> list[str]:
    return [finding.rule for finding in verdict.findings]


def limits_with(**sections: dict[str, object]) -> PlantLimits:
    return Limits.model_validate(sections).resolve(SCALE)


def test_a_modest_request_is_allowed_without_a_finding() -> None:
    assert evaluate(ask(500.0), HALF, LIMITS) == Verdict("allow", 500.0)


@pytest.mark.parametrize(("asked", "left"), [(5000.0, 1000.0), (-5000.0, -1000.0)])
def test_power_beyond_the_rating_is_clipped_with_the_rule_quoted(asked: float, left: float) -> None:
    verdict = evaluate(ask(asked), HALF, LIMITS)
    assert (verdict.outcome, verdict.power_kw) == ("clip", left)
    assert rules(verdict) == ["battery_power"]
    assert "battery.power_kw = 1000.0" in verdict.findings[0].quote


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_power_that_is_no_number_is_denied(bad: float) -> None:
    verdict = evaluate(ask(bad), HALF, LIMITS)
    assert (verdict.outcome, verdict.power_kw) == ("deny", 0.0)
    assert rules(verdict) == ["finite_request"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -5.0, 1e9])
def test_a_duration_out_of_range_is_denied(bad: float) -> None:
    assert rules(evaluate(ask(100.0, duration_s=bad), HALF, LIMITS)) == ["finite_request"]


def test_a_power_outside_its_own_bounds_is_denied() -> None:
    proposal = replace(ask(100.0), lower_kw=200.0, upper_kw=300.0)
    assert evaluate(proposal, HALF, LIMITS).outcome == "deny"


def test_a_nearly_empty_battery_clips_to_what_lasts_one_interval() -> None:
    state = replace(HALF, battery=BatteryState(soc_kwh=10.0))
    verdict = evaluate(ask(1000.0), state, LIMITS)
    assert verdict.outcome == "clip"
    assert rules(verdict) == ["battery_soc"]
    assert verdict.power_kw == pytest.approx(10.0 * math.sqrt(0.9) * 12)


def test_a_four_hour_proposal_is_not_denied_for_its_last_minute() -> None:
    assert evaluate(ask(1000.0, duration_s=14_400.0), HALF, LIMITS).outcome == "allow"


@pytest.mark.parametrize(("soc_kwh", "power_kw"), [(0.0, 500.0), (2000.0, -500.0)])
def test_a_request_of_which_nothing_is_left_is_denied(soc_kwh: float, power_kw: float) -> None:
    state = replace(HALF, battery=BatteryState(soc_kwh=soc_kwh))
    verdict = evaluate(ask(power_kw), state, LIMITS)
    assert (verdict.outcome, verdict.power_kw) == ("deny", 0.0)
    assert rules(verdict) == ["battery_soc"]


def test_the_days_cycles_stop_discharging_but_not_charging() -> None:
    used = replace(HALF, battery_discharged_today_kwh=4000.0)
    assert rules(evaluate(ask(500.0), used, LIMITS)) == ["battery_cycles"]
    assert evaluate(ask(500.0), used, LIMITS).outcome == "deny"
    assert evaluate(ask(-500.0), used, LIMITS).outcome == "allow"
    nearly = replace(HALF, battery_discharged_today_kwh=3990.0)
    verdict = evaluate(ask(500.0), nearly, LIMITS)
    assert (verdict.outcome, rules(verdict)) == ("clip", ["battery_cycles"])


def test_a_slow_battery_is_clipped_to_what_its_ramp_reaches() -> None:
    slow = limits_with(battery={"ramp_kw_per_s": 1.0})
    verdict = evaluate(ask(900.0), HALF, slow)
    assert (verdict.power_kw, rules(verdict)) == (300.0, ["battery_ramp"])


def test_stale_telemetry_denies_autonomous_dispatch() -> None:
    for age_s in (901.0, None, math.nan):
        state = replace(HALF, telemetry_age_s=age_s)
        verdict = evaluate(ask(500.0), state, LIMITS)
        assert (verdict.outcome, rules(verdict)) == ("deny", ["stale_telemetry"])
        assert evaluate(ask(500.0), state, LIMITS, approved=True).outcome == "deny"


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("stale_telemetry", {"telemetry_age_s": 1e4}),
        ("untrusted_telemetry", {"trust": 0.2}),
        ("untrusted_telemetry", {"trust": math.nan}),
        ("kill_switch", {"halted": True}),
    ],
)
def test_what_denies_the_autonomy_asks_for_a_second_person_otherwise(
    rule: str, change: dict[str, float | bool]
) -> None:
    state = replace(HALF, **change)  # type: ignore[arg-type]
    autonomous = evaluate(ask(500.0), state, LIMITS)
    person = evaluate(ask(500.0, requester="local:ana"), state, LIMITS)
    assert (autonomous.outcome, rules(autonomous)) == ("deny", [rule])
    assert (person.outcome, rules(person)) == ("needs_approval", [rule])
    assert evaluate(ask(500.0, requester="local:ana"), state, LIMITS, approved=True).outcome == "allow"
    assert evaluate(ask(0.0, requester="local:ana"), state, LIMITS).outcome == "allow"


def test_too_many_actions_in_an_hour_are_denied() -> None:
    state = replace(HALF, actions_last_hour=LIMITS.max_actions_per_hour)
    assert rules(evaluate(ask(500.0), state, LIMITS)) == ["action_rate"]


def test_a_peaker_start_needs_a_person_whoever_asks() -> None:
    for requester in ("supervisor:response", "local:ana"):
        proposal = ask(500.0, "peaker", requester)
        verdict = evaluate(proposal, HALF, LIMITS)
        assert (verdict.outcome, rules(verdict)) == ("needs_approval", ["peaker_start"])
        assert evaluate(proposal, HALF, LIMITS, approved=True).outcome == "allow"


def test_a_running_peaker_needs_no_approval_to_change_its_power() -> None:
    running = replace(HALF, peaker=PeakerState(power_kw=400.0, on=True, in_state_s=300.0))
    assert evaluate(ask(700.0, "peaker"), running, LIMITS).outcome == "allow"


def test_a_peaker_is_not_stopped_before_its_minimum_up_time() -> None:
    running = replace(HALF, peaker=PeakerState(power_kw=700.0, on=True, in_state_s=3300.0))
    verdict = evaluate(ask(0.0, "peaker"), running, LIMITS)
    assert (verdict.outcome, verdict.power_kw) == ("clip", 300.0)
    assert rules(verdict) == ["peaker_min_up"]
    done = replace(HALF, peaker=PeakerState(power_kw=700.0, on=True, in_state_s=3600.0))
    assert evaluate(ask(0.0, "peaker"), done, LIMITS).power_kw == 0.0


def test_a_peaker_is_not_started_before_its_minimum_down_time() -> None:
    limits = limits_with(peaker={"min_down_s": 1800})
    state = replace(HALF, peaker=PeakerState(in_state_s=900.0))
    verdict = evaluate(ask(500.0, "peaker"), state, limits, approved=True)
    assert (verdict.outcome, rules(verdict)) == ("deny", ["peaker_min_down"])


def test_the_days_starts_of_the_peaker_are_counted() -> None:
    verdict = evaluate(ask(500.0, "peaker"), replace(HALF, peaker_starts_today=6), LIMITS, approved=True)
    assert (verdict.outcome, rules(verdict)) == ("deny", ["peaker_starts"])


@pytest.mark.parametrize(
    ("asked", "outcome", "left"), [(200.0, "clip", 300.0), (100.0, "deny", 0.0), (300.0, "allow", 300.0)]
)
def test_a_request_below_the_minimum_load_is_raised_from_half_of_it_on(
    asked: float, outcome: str, left: float
) -> None:
    running = replace(HALF, peaker=PeakerState(power_kw=400.0, on=True, in_state_s=5000.0))
    verdict = evaluate(ask(asked, "peaker"), running, LIMITS)
    assert (verdict.outcome, verdict.power_kw) == (outcome, left)


def test_a_peaker_never_absorbs() -> None:
    assert evaluate(ask(-500.0, "peaker"), HALF, LIMITS).outcome == "deny"


def test_thresholds_by_power_and_cost_ask_for_a_person_and_an_approval_lifts_them() -> None:
    by_power = limits_with(approval={"power_kw": 400})
    by_cost = limits_with(approval={"cost_usd": 0.1})
    for limits, rule in ((by_power, "approval_power"), (by_cost, "approval_cost")):
        verdict = evaluate(ask(500.0), HALF, limits)
        assert (verdict.outcome, rules(verdict)) == ("needs_approval", [rule])
        assert evaluate(ask(500.0), HALF, limits, approved=True).outcome == "allow"


def test_an_emergency_asks_for_a_person_only_where_the_limits_say_so() -> None:
    state = replace(HALF, emergency=True)
    assert evaluate(ask(500.0), state, LIMITS).outcome == "allow"
    strict = limits_with(approval={"emergency": True})
    assert rules(evaluate(ask(500.0), state, strict)) == ["emergency"]


def test_the_default_battery_acts_without_a_person_at_full_power() -> None:
    for power_kw in (1000.0, -1000.0):
        assert evaluate(ask(power_kw, duration_s=7200.0), HALF, LIMITS).outcome == "allow"


def test_cost_ceilings_deny_also_with_an_approval() -> None:
    per_dispatch = limits_with(cost={"max_usd_per_dispatch": 0.1})
    assert rules(evaluate(ask(500.0), HALF, per_dispatch, approved=True)) == ["cost_per_dispatch"]
    spent = replace(HALF, spent_today_usd=LIMITS.max_usd_per_day)
    assert rules(evaluate(ask(500.0), spent, LIMITS, approved=True)) == ["cost_per_day"]
    assert evaluate(ask(0.0), spent, LIMITS).outcome == "allow"


def test_charging_at_a_missing_price_is_not_taken_to_be_free() -> None:
    free = limits_with(cost={"max_usd_per_dispatch": 10.0})
    cheap = replace(HALF, price_usd_per_mwh=-5.0)
    missing = replace(HALF, price_usd_per_mwh=None)
    assert evaluate(ask(-1000.0), cheap, free).outcome == "allow"
    assert rules(evaluate(ask(-1000.0), missing, free)) == ["cost_per_dispatch"]


def test_an_approval_lifts_thresholds_and_nothing_else() -> None:
    state = replace(HALF, telemetry_age_s=None, battery=BatteryState(soc_kwh=0.0))
    verdict = evaluate(ask(5000.0), state, limits_with(approval={"power_kw": 1}), approved=True)
    assert rules(verdict) == ["battery_power", "battery_soc", "stale_telemetry"]
    assert {finding.effect for finding in verdict.findings} == {"deny"}


def test_without_a_target_each_asset_goes_to_its_safe_setpoint() -> None:
    assert evaluate_setpoint("battery", None, HALF, LIMITS).power_kw == 0.0
    assert evaluate_setpoint("peaker", None, HALF, LIMITS).power_kw == 0.0
    running = replace(HALF, peaker=PeakerState(power_kw=900.0, on=True, in_state_s=600.0))
    assert evaluate_setpoint("peaker", None, running, LIMITS).power_kw == 300.0


def test_a_setpoint_that_is_no_number_becomes_the_safe_one() -> None:
    assert evaluate_setpoint("battery", math.nan, HALF, LIMITS).power_kw == 0.0
