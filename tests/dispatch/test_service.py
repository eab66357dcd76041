import math
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from dispatch.flags import halt, resume
from dispatch.ledger import Ledger
from dispatch.schema import approvals, proposals
from dispatch.service import DispatchOutcome, DispatchService, Observation
from policies.principal import RESPONSE, TRADING, Principal, local_principal, operator_principal
from tests.services_postgres.server import NewUrl

if TYPE_CHECKING:
    from tests.dispatch.conftest import Plant

ANA, BEN = local_principal("ana"), operator_principal("ben")


def count(plant: "Plant") -> int:
    with plant.ledger.reading() as connection:
        found: int = connection.execute(select(func.count()).select_from(proposals)).scalar_one()
    return found


def rules(outcome: object) -> list[str]:
    return [finding.rule for finding in outcome.findings]  # type: ignore[attr-defined]


def test_an_accepted_proposal_names_its_power_and_end(plant: "Plant") -> None:
    outcome = plant.propose(500.0)
    assert (outcome.status, outcome.power_kw, outcome.proposal_id) == ("accepted", 500.0, "1")
    assert outcome.expires_at is not None
    assert (outcome.expires_at - plant.clock.now()).total_seconds() == 300


def test_a_clipped_proposal_is_accepted_and_says_which_rule_clipped_it(plant: "Plant") -> None:
    outcome = plant.propose(5000.0)
    assert (outcome.status, outcome.power_kw, rules(outcome)) == ("accepted", 1000.0, ["battery_power"])
    assert "battery_power" in outcome.message


def test_without_the_dispatch_scope_nothing_is_accepted(plant: "Plant") -> None:
    for principal in (BEN, Principal("local:eve", frozenset({"grid:read"}), 30)):
        outcome = plant.propose(500.0, principal=principal)
        assert (outcome.status, rules(outcome)) == ("denied", ["scope"])
    assert count(plant) == 0


def test_before_the_assets_have_reported_nothing_is_accepted(
    tmp_path: Path, plant: "Plant", new_url: NewUrl
) -> None:
    ledger = Ledger(tmp_path / "fresh", new_url())
    plant.service = DispatchService(ledger, plant.limits, plant.clock, lambda: plant.observation, UTC)
    assert rules(plant.propose(500.0)) == ["asset_state"]
    ledger.close()


def test_stale_telemetry_denies_autonomous_dispatch_and_asks_a_second_person_otherwise(
    plant: "Plant",
) -> None:
    plant.observation = Observation(telemetry_age_s=5000.0, trust=1.0)
    assert rules(plant.propose(500.0)) == ["stale_telemetry"]
    assert plant.propose(500.0, principal=ANA).status == "pending_approval"
    assert count(plant) == 0


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("key", "k" * 201, "idempotency_key has 201 characters; at most 200 are kept"),
        ("event_id", "e" * 201, "event_id has 201 characters"),
        ("event_id", "ramp\0", "event_id holds a NUL character"),
        ("key", "\0", "idempotency_key holds a NUL character"),
    ],
)
def test_a_text_that_not_every_ledger_can_hold_is_denied_and_named(
    plant: "Plant", field: str, value: str, told: str
) -> None:
    outcome = plant.propose(500.0, **{field: value})  # type: ignore[arg-type]
    assert rules(outcome) == ["storable_request"]
    assert told in outcome.message
    assert count(plant) == 0
    assert plant.propose(500.0, **{field: "⚡" * 200}).status == "accepted"  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_none_is_denied_without_a_trace_of_it(plant: "Plant", bad: float) -> None:
    assert rules(plant.propose(bad)) == ["finite_request"]
    assert plant.ledger.verify_audit().ok


def test_the_same_key_gives_the_same_outcome_and_no_second_effect(plant: "Plant") -> None:
    first = plant.propose(500.0, key="forecast-12:00")
    plant.run()
    again = plant.propose(500.0, key="forecast-12:00")
    assert again.duplicate
    assert (again.status, again.power_kw, again.proposal_id, again.expires_at) == (
        first.status,
        first.power_kw,
        first.proposal_id,
        first.expires_at,
    )
    assert count(plant) == 1


def test_the_same_prediction_is_not_traded_again_and_again(plant: "Plant") -> None:
    for _ in range(30):  # a loop that fires every 10 s on one 5-minute forecast
        plant.propose(500.0, principal=TRADING, key="forecast-12:00")
        plant.clock.advance(10)
    plant.executor.tick()
    assert count(plant) == 1
    assert plant.driver.calls == [(0.0, 0.0)]


def test_a_key_does_not_act_for_other_arguments(plant: "Plant") -> None:
    plant.propose(500.0, key="k")
    outcome = plant.propose(600.0, key="k")
    assert (outcome.status, rules(outcome)) == ("denied", ["idempotency_key"])
    assert count(plant) == 1


def test_keys_of_different_requesters_do_not_meet(plant: "Plant") -> None:
    plant.propose(500.0, key="k", principal=RESPONSE)
    assert plant.propose(500.0, key="k", principal=TRADING).proposal_id == "2"


def test_a_denied_call_does_not_use_its_key_up(plant: "Plant") -> None:
    plant.observation = Observation(telemetry_age_s=None, trust=1.0)
    assert plant.propose(500.0, key="k").status == "denied"
    plant.observation = Observation(telemetry_age_s=0.0, trust=1.0)
    assert plant.propose(500.0, key="k").status == "accepted"


def test_too_many_actions_in_an_hour_are_denied_and_the_hour_passes(plant: "Plant") -> None:
    plant.limits = replace(plant.limits, max_actions_per_hour=3)
    plant.restart()
    assert [plant.propose(500.0).status for _ in range(4)] == ["accepted"] * 3 + ["denied"]
    assert plant.propose(500.0, principal=TRADING).status == "accepted"
    plant.clock.advance(3600)
    assert plant.propose(500.0).status == "accepted"


def test_a_peaker_start_waits_for_a_person_and_the_repeated_call_acts_once(plant: "Plant") -> None:
    waiting = plant.propose(800.0, asset="peaker", key="k")
    assert (waiting.status, waiting.power_kw, waiting.approval_id) == ("pending_approval", None, "1")
    assert plant.propose(800.0, asset="peaker", key="k").approval_id == "1"
    plant.clock.advance(120)
    plant.approvals.approve("1", BEN, "evening ramp")
    acted = plant.propose(800.0, asset="peaker", key="k")
    assert (acted.status, acted.approval_id) == ("accepted", "1")
    assert acted.expires_at is not None
    assert (acted.expires_at - plant.clock.now()).total_seconds() == 300  # counts from here
    again = plant.propose(800.0, asset="peaker", key="k")
    assert again.duplicate
    assert again.proposal_id == acted.proposal_id
    assert plant.approvals.get("1").state == "CONSUMED"
    assert plant.propose(800.0, asset="peaker", key="other").status == "pending_approval"


def test_an_approval_serves_no_other_argument_tool_or_requester(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.approve("1", BEN, "ok")
    assert plant.propose(801.0, asset="peaker").status == "pending_approval"
    assert plant.propose(800.0, asset="peaker", principal=TRADING).status == "pending_approval"
    assert plant.propose(800.0, asset="peaker", note="changed").status == "pending_approval"
    assert plant.propose(800.0, asset="peaker").status == "accepted"


def test_an_approval_serves_no_other_power_or_duration_than_the_person_saw(plant: "Plant") -> None:
    """A tool may reckon its power from what it reads: the same call may ask for another effect later."""

    def ask(power_kw: float, duration_s: float) -> DispatchOutcome:
        return plant.service.propose(
            principal=RESPONSE,
            tool="cover_peak",
            arguments={"share": 0.5},
            asset="peaker",
            power_kw=power_kw,
            duration_s=duration_s,
            reason="the forecast says so",
        )

    asked = ask(800.0, 3600.0)
    assert asked.approval_id is not None
    plant.approvals.approve(asked.approval_id, BEN, "fine")
    assert ask(900.0, 3600.0).status == "pending_approval"
    assert ask(800.0, 7200.0).status == "pending_approval"
    assert ask(800.0, 3600.0).status == "accepted"


def test_an_expired_approval_serves_nobody(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.approve("1", BEN, "ok")
    plant.clock.advance(plant.limits.approval_expires_s)
    outcome = plant.propose(800.0, asset="peaker")
    assert (outcome.status, outcome.approval_id) == ("pending_approval", "2")
    assert plant.approvals.get("1").state == "EXPIRED"


def test_a_denied_request_stays_denied_until_it_would_have_expired(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.deny("1", BEN, "maintenance")
    outcome = plant.propose(800.0, asset="peaker")
    assert outcome.status == "denied"
    assert "operator:ben denied approval 1: maintenance" in outcome.message
    plant.clock.advance(plant.limits.approval_expires_s)
    assert plant.propose(800.0, asset="peaker").approval_id == "2"


def test_guardrails_run_again_when_an_approval_is_used_and_a_refused_one_is_kept(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.approve("1", BEN, "ok")
    plant.observation = Observation(telemetry_age_s=None, trust=1.0)
    assert rules(plant.propose(800.0, asset="peaker")) == ["stale_telemetry"]
    assert plant.approvals.get("1").state == "APPROVED"
    plant.observation = Observation(telemetry_age_s=0.0, trust=1.0)
    assert plant.propose(800.0, asset="peaker").status == "accepted"


def test_a_halt_withdraws_what_is_live_and_denies_the_autonomy_until_resumed(plant: "Plant") -> None:
    plant.propose(500.0, duration_s=3600.0)
    plant.propose(-200.0, duration_s=3600.0, principal=ANA)
    plant.run()
    halt(plant.ledger, ANA, "smoke", plant.clock.now())
    assert plant.executor.tick().setpoints.battery_kw == 0.0
    assert rules(plant.propose(500.0)) == ["kill_switch"]
    assert plant.propose(500.0, principal=ANA).status == "pending_approval"
    resume(plant.ledger, BEN, "all clear", plant.clock.now())
    assert plant.propose(500.0).status == "accepted"


def test_a_refusal_changes_nothing_but_the_audit(plant: "Plant") -> None:
    plant.observation = Observation(telemetry_age_s=None, trust=1.0)
    before = plant.ledger.verify_audit().count
    plant.propose(500.0)
    assert count(plant) == 0
    with plant.ledger.reading() as connection:
        assert not connection.execute(select(approvals)).first()
    assert plant.ledger.verify_audit().count == before + 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([RESPONSE, TRADING, ANA]),
            st.sampled_from([100.0, -400.0, 900.0]),
            st.sampled_from(["k1", "k2"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_each_key_acts_at_most_once_whatever_the_order_and_restarts(
    plant: "Plant", calls: list[tuple[Principal, float, str, bool]]
) -> None:
    for principal, power_kw, key, restart in calls:
        plant.propose(power_kw, principal=principal, key=key)
        if restart:
            plant.restart()
    with plant.ledger.reading() as connection:
        rows = connection.execute(select(proposals.c.requester, proposals.c.idempotency_key)).all()
    assert len(rows) == len(set(rows))
    assert plant.ledger.verify_audit().ok
