import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from dispatch.schema import proposals
from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid.units import metered_net_load_kw
from tests.tools.small_grid import ANA, OPERATOR, SmallGrid
from tools.dispatch_fields import DispatchRequest
from tools.errors import ToolScopeError

WISH: dict[str, Any] = {"power_kw": 20.0, "duration_min": 10.0, "reason": "the evening ramp"}


def only_proposal(grid: SmallGrid) -> Any:
    with grid.ledger.reading() as connection:
        return connection.execute(select(proposals)).one()


@pytest.mark.parametrize(("name", "sign"), [("discharge_battery", 1.0), ("charge_battery", -1.0)])
def test_discharging_is_positive_at_the_asset_and_charging_negative(
    plant: SmallGrid, name: str, sign: float
) -> None:
    answer = plant.ask(name, **WISH)
    assert (answer.status, answer.asset) == ("accepted", "battery")
    assert (answer.requested_power_kw, answer.power_kw) == (sign * 20.0, sign * 20.0)
    assert answer.expires_at == plant.clock.now() + timedelta(minutes=10)
    plant.advance()
    native, metered = plant.newest(NATIVE_SITE).net_load_kw, plant.newest(AREA_SITE).net_load_kw
    assert native is not None
    assert metered == pytest.approx(metered_net_load_kw(native, sign * 20.0, 0.0))


@pytest.mark.parametrize("name", ["discharge_battery", "charge_battery"])
def test_no_power_is_zero_without_a_sign(plant: SmallGrid, name: str) -> None:
    answer = plant.ask(name, **WISH | {"power_kw": 0.0})
    assert (answer.status, str(answer.requested_power_kw), str(answer.power_kw)) == ("accepted", "0.0", "0.0")
    assert "at 0.0 kW" in answer.next_step


def test_more_than_the_battery_can_is_clipped_and_says_by_which_rule(plant: SmallGrid) -> None:
    answer = plant.ask("charge_battery", **WISH | {"power_kw": 1e6})
    assert (answer.status, answer.requested_power_kw) == ("accepted", -1e6)
    assert answer.power_kw == -plant.limits.battery.power_kw
    assert [(finding.rule, finding.effect) for finding in answer.findings] == [("battery_power", "clip")]
    assert "battery.power_kw" in answer.findings[0].quote


def test_what_the_guardrails_deny_is_an_answer_with_the_rule_and_its_limit(plant: SmallGrid) -> None:
    answer = plant.ask("discharge_battery", **WISH | {"duration_min": 600.0})
    assert (answer.status, answer.power_kw, answer.proposal_id) == ("denied", None, None)
    assert "actions.max_duration_s = 14400" in answer.next_step
    assert plant.written()["proposals"] == 0


def test_before_the_assets_have_reported_a_dispatch_is_denied_and_says_so(grid: SmallGrid) -> None:
    answer = grid.ask("discharge_battery", **WISH)
    assert (answer.status, [finding.rule for finding in answer.findings]) == ("denied", ["asset_state"])
    assert "start the plant's owner" in answer.next_step


def test_a_start_of_the_peaker_waits_for_a_person_and_a_stop_does_not(plant: SmallGrid) -> None:
    start = plant.ask("dispatch_peaker", **WISH)
    assert (start.status, start.asset, start.power_kw, start.proposal_id) == (
        "pending_approval",
        "peaker",
        None,
        None,
    )
    assert start.approval_id == plant.approvals.list("PENDING")[0].approval_id
    assert start.expires_at == plant.clock.now() + timedelta(seconds=plant.limits.approval_expires_s)
    assert "repeat the same call" in start.next_step
    assert plant.ask("dispatch_peaker", **WISH | {"power_kw": 0.0}).status == "accepted"


def test_an_approved_start_runs_the_peaker_and_the_meter_feels_it(plant: SmallGrid) -> None:
    approval_id = plant.ask("dispatch_peaker", **WISH).approval_id
    plant.approvals.approve(approval_id, OPERATOR, "agreed")
    answer = plant.ask("dispatch_peaker", **WISH)
    assert (answer.status, answer.power_kw, answer.approval_id) == ("accepted", 20.0, approval_id)
    plant.advance()
    native, metered = plant.newest(NATIVE_SITE).net_load_kw, plant.newest(AREA_SITE).net_load_kw
    assert native is not None
    assert metered == pytest.approx(native - 20.0)


def test_all_that_a_caller_says_reaches_the_ledger(plant: SmallGrid) -> None:
    plant.ask(
        "discharge_battery",
        **WISH,
        idempotency_key="key 1",
        lower_kw=-5.0,
        upper_kw=25.0,
        event_id="evt-1",
        forecast_issued_at="2024-05-04T03:55:00+02:00",
        expected_effect="a flatter ramp",
        expected_cost_usd=-1.5,
    )
    row = only_proposal(plant)
    assert (row.requester, row.priority, row.tool) == (ANA.subject, ANA.priority, "discharge_battery")
    assert (row.asset, row.power_kw, row.lower_kw, row.upper_kw) == ("battery", 20.0, -5.0, 25.0)
    assert (row.ends_at - row.starts_at, row.reason) == (timedelta(minutes=10), "the evening ramp")
    assert (row.event_id, row.forecast_issued_at) == ("evt-1", "2024-05-04T01:55:00+00:00")
    assert (row.expected_effect, row.expected_cost_usd) == ("a flatter ramp", -1.5)
    assert row.idempotency_key == "key 1"


def test_a_repeated_key_acts_once_and_a_fresh_one_again(plant: SmallGrid) -> None:
    first = plant.ask("charge_battery", **WISH, idempotency_key="once")
    again = plant.ask("charge_battery", **WISH, idempotency_key="once")
    assert (again.proposal_id, again.power_kw, again.status) == (first.proposal_id, -20.0, "accepted")
    assert "nothing was done again" in again.next_step
    plant.ask("charge_battery", **WISH, idempotency_key="twice")
    assert plant.written()["proposals"] == 2


@pytest.mark.parametrize("call_of", [None, "get_grid_status"])
def test_a_tool_that_did_not_declare_that_it_acts_cannot_propose(
    plant: SmallGrid, call_of: str | None
) -> None:
    reading = plant.workplace.context(ANA) if call_of is None else plant.context(plant.tools[call_of], {})
    before = plant.written()
    with pytest.raises(ToolScopeError, match="only a tool with effect='act'"):
        asyncio.run(
            reading.propose(asset="battery", power_kw=1.0, duration_s=60.0, reason="by the back door")
        )
    assert plant.written() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("power_kw", -1.0),
        ("power_kw", float("nan")),
        ("power_kw", float("inf")),
        ("power_kw", "much"),
        ("power_kw", True),
        ("power_kw", None),
        ("power_kw", 10**400),
        ("duration_min", 0.0),
        ("duration_min", 5e-324),
        ("duration_min", 1440.1),
        ("reason", ""),
        ("reason", "x" * 501),
        ("idempotency_key", ""),
        ("lower_kw", float("-inf")),
        ("upper_kw", False),
        ("expected_cost_usd", float("nan")),
        ("forecast_issued_at", "2024-05-04T01:55:00"),
        ("forecast_issued_at", 1714780800),
        ("forecast_issued_at", "2024"),
        ("principal", "supervisor:response"),
        ("priority", 99),
    ],
)
def test_a_field_out_of_bounds_or_unknown_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        DispatchRequest.model_validate(WISH | {field: value})
    assert [problem["loc"] for problem in refused.value.errors()] == [(field,)]


def test_bounds_in_the_wrong_order_are_refused_with_both_values() -> None:
    with pytest.raises(ValidationError, match=r"lower_kw=5\.0 is above upper_kw=-5\.0; swap them"):
        DispatchRequest.model_validate(WISH | {"lower_kw": 5.0, "upper_kw": -5.0})
