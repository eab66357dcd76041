"""Decisions as the page shows them: plan against actual, value, what was rejected, and what is found."""

import json
from datetime import timedelta

import pytest

from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import AREA_SITE
from operator_console.audit_view import newest_lines
from operator_console.decisions import Decision, decisions
from operator_console.errors import SourceError
from policies.principal import RESPONSE, TRADING, local_principal
from tests.dispatch.conftest import ANA, OPERATOR
from tests.operator_console.conftest import Console


def settle(console: Console, proposal_id: str | None, power_kw: float, price: float | None = 50.0) -> None:
    """The battery held this power for half an hour in the name of a proposal."""
    start = console.now() - timedelta(minutes=30)
    energy_kwh = power_kw / 2
    value = None if price is None else energy_kwh * price / 1000
    done = AssetDispatch(AREA_SITE, "battery", start, 1_800.0, power_kw, 900.0, "1", proposal_id, "x")
    console.store.write_settled(
        [done], [EnergyTrade(AREA_SITE, "battery", start, 1_800.0, energy_kwh, price, value)]
    )


def only(console: Console, key: str) -> Decision:
    (found,) = [decision for decision in decisions(console.source) if decision.key == key]
    return found


def test_a_decision_shows_plan_against_actual_and_what_it_earned_after_wear(console: Console) -> None:
    outcome = console.plant.propose(900.0, event_id="evt-1")
    console.plant.clock.advance(1_800.0)
    settle(console, outcome.proposal_id, 800.0)
    found = only(console, f"proposal {outcome.proposal_id}")
    assert (found.asked_kw, found.planned_kw) == (900.0, 900.0)
    assert found.actual_kw == pytest.approx(800.0)
    assert found.energy_kwh == pytest.approx(400.0)
    assert found.earned == pytest.approx(400.0 * 0.05 - 400.0 * 0.01)
    assert (found.why, found.event_id, found.who) == ("because the test says so", "evt-1", RESPONSE.subject)


def test_charging_pays_the_price_and_wears_nothing(console: Console) -> None:
    outcome = console.plant.propose(-900.0)
    console.plant.clock.advance(1_800.0)
    settle(console, outcome.proposal_id, -800.0)
    assert only(console, f"proposal {outcome.proposal_id}").earned == pytest.approx(-400.0 * 0.05)


def test_a_missing_price_leaves_the_value_missing_and_no_zero(console: Console) -> None:
    outcome = console.plant.propose(900.0)
    console.plant.clock.advance(1_800.0)
    settle(console, outcome.proposal_id, 800.0, price=None)
    assert only(console, f"proposal {outcome.proposal_id}").earned is None


def test_what_did_not_act_has_no_actual_and_no_value(console: Console) -> None:
    outcome = console.plant.propose(900.0)
    console.plant.clock.advance(1_800.0)
    settle(console, None, 800.0)
    found = only(console, f"proposal {outcome.proposal_id}")
    assert found.actual_kw is found.energy_kwh is found.earned is None


def test_a_clip_and_an_outranked_rival_are_among_what_was_rejected(console: Console) -> None:
    rival = console.plant.propose(300.0, principal=TRADING, duration_s=900.0)
    console.plant.clock.advance(60.0)
    outcome = console.plant.propose(1e6, principal=ANA)
    assert outcome.status == "pending_approval" or outcome.findings
    response = console.plant.propose(400.0, principal=RESPONSE)
    found = only(console, f"proposal {response.proposal_id}")
    assert found.rejected == (
        f"outranked {TRADING.subject}, who wanted +300 kW (proposal {rival.proposal_id})",
    )
    assert only(console, f"proposal {rival.proposal_id}").rejected == ()


def test_refusals_and_decided_approvals_are_decisions_too_the_newest_first(console: Console) -> None:
    plant = console.plant
    refused = plant.propose(float("nan"), principal=ANA)
    assert refused.status == "denied"
    plant.clock.advance(60.0)
    asked = plant.propose(5_000.0, asset="peaker", duration_s=3_600.0, principal=ANA)
    assert asked.approval_id is not None
    assert [found.state for found in decisions(console.source)] == ["refused"], "what waits is not decided"
    plant.approvals.deny(asked.approval_id, OPERATOR, "not tonight")
    denied, refusal = decisions(console.source)
    assert (denied.key, denied.state, denied.who) == (
        f"approval {asked.approval_id}",
        "denied",
        "operator:ben",
    )
    assert "not tonight" in denied.why
    assert any("peaker_start" in text for text in denied.rejected)
    assert refusal.rejected


def test_search_finds_every_word_wherever_it_stands(console: Console) -> None:
    outcome = console.plant.propose(900.0, event_id="evt-77")
    found = only(console, f"proposal {outcome.proposal_id}")
    for words in (["battery"], ["evt-77", "response"], ["2026-03-01"], ["because", "live"], []):
        assert found.matches(words), words
    for words in (["peaker"], ["battery", "nobody"]):
        assert not found.matches(words), words


def test_a_store_that_cannot_be_read_is_said(console: Console) -> None:
    console.plant.propose(900.0)
    console.store.close()
    with pytest.raises(SourceError, match=r"telemetry\.db"):
        decisions(console.source)


def test_the_audits_lines_are_for_people_the_newest_first_and_hashes_are_left_out(console: Console) -> None:
    console.plant.service.propose(
        principal=local_principal("ana"), tool="discharge_battery", arguments={"reason": "<b>peak</b>"},
        asset="battery", power_kw=100.0, duration_s=300.0, reason="<b>peak</b>",
    )  # fmt: skip
    console.plant.executor.tick()
    first, second = newest_lines(console.source)[:2]
    assert (first.kind, first.actor) == ("dispatch intended", "executor")
    assert (second.kind, second.actor) == ("proposal accepted", "local:ana")
    assert "reason <b>peak</b>" in second.text
    assert "hash" not in second.text
    assert json.dumps(second.text)
