"""From a peaker start that needs a person to the one call that carries it out, or to its end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from dispatch.flags import halt, resume
from grid_supervisor.results import Action, LoopResult
from policies.limits import Limits
from policies.principal import operator_principal
from tools.contract import ToolContext
from tools.errors import ToolUnavailableError
from tools.registry import discover_tools

if TYPE_CHECKING:
    from tests.grid_supervisor.conftest import Plant, Script

pytestmark = pytest.mark.anyio

OPERATOR = operator_principal("ben")
START_KW = 500.0


def only_action(result: LoopResult) -> Action:
    assert len(result.actions) == 1
    return result.actions[0]


def states(plant: "Plant") -> list[str]:
    return [asked.state for asked in plant.approvals.list()]


async def test_a_peaker_start_waits_for_an_operator(plant: "Plant", script: "Script") -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        result = await loop.tick()
    asked = plant.approvals.list()[0]
    action = only_action(result)
    assert (result.outcome, action.status, action.approval_id) == (
        "acted",
        "pending_approval",
        asked.approval_id,
    )
    assert (asked.state, asked.requester, asked.tool) == ("PENDING", "supervisor:response", "dispatch_peaker")
    assert plant.accepted() == []
    assert plant.act().peaker_kw == 0


async def test_a_start_that_waits_is_asked_for_once_however_often_the_loop_ticks(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        for _ in range(6):
            for _ in range(2):
                action = only_action(await loop.tick())
                assert (action.status, action.approval_id) == ("waiting", "1")
            plant.act()
            plant.advance()
    assert states(plant) == ["PENDING"]
    assert plant.accepted() == []


async def test_the_policy_is_told_that_a_start_waits_and_that_it_is_approved(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        await loop.tick()
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        await loop.tick()
    assert [view.peaker_start for view in script.views] == ["none", "pending", "approved"]


async def test_an_approved_start_repeats_its_frozen_call_exactly_once(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.advance()
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        script.wants("peaker", 900.0)  # the wish has moved on; what was approved has not
        action = only_action(await loop.tick())
        assert (action.status, action.power_kw, action.approval_id) == ("accepted", START_KW, "1")
        for _ in range(3):
            assert (await loop.tick()).actions == ()
        assert plant.act().peaker_kw == START_KW
    row = plant.accepted(asset="peaker")[0]
    assert len(plant.accepted()) == 1
    assert (row.power_kw, row.approval_id) == (START_KW, 1)
    assert row.idempotency_key == f"response/peaker/{plant.start.isoformat()}"
    assert row.ends_at - row.starts_at == timedelta(hours=1)
    assert row.starts_at == plant.clock.now()
    assert states(plant) == ["CONSUMED"]


async def test_a_peaker_that_was_started_is_steered_without_another_approval(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        await loop.tick()
        plant.act()
        plant.advance()
        assert plant.simulator.peaker.on
        script.wants("peaker", 400.0)
        assert only_action(await loop.tick()).status == "accepted"
        assert plant.act().peaker_kw == 400
    assert states(plant) == ["CONSUMED"]
    assert script.views[-1].peaker_on
    assert script.views[-1].peaker_start == "none"


async def test_a_denied_start_is_not_asked_for_again_until_the_request_would_have_expired(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.approvals.deny("1", OPERATOR, "the line is out for works")
        for _ in range(12):
            action = only_action(await loop.tick())
            assert (action.status, action.detail) == ("waiting", "approval 1 is denied")
            plant.advance()
        assert states(plant) == ["DENIED"]
        assert script.views[-1].peaker_start == "pending"
        closed, asked = (await loop.tick()).actions
    assert (closed.status, closed.detail) == ("expired", "was denied until then")
    assert (asked.status, asked.approval_id) == ("pending_approval", "2")
    assert states(plant) == ["DENIED", "PENDING"]


async def test_a_request_that_nobody_decided_expires_and_is_asked_anew(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.advance(12)
        closed, asked = (await loop.tick()).actions
    assert (closed.status, closed.approval_id) == ("expired", "1")
    assert (asked.status, asked.approval_id) == ("pending_approval", "2")
    assert [view.peaker_start for view in script.views] == ["none", "none"]
    assert states(plant) == ["EXPIRED", "PENDING"]


async def test_an_approval_that_was_kept_until_too_late_starts_nothing(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        halt(plant.ledger, OPERATOR, "smoke in the hall", plant.clock.now())
        assert (await loop.tick()).outcome == "blocked"
        plant.advance(12)
        resume(plant.ledger, OPERATOR, "false alarm", plant.clock.now())
        closed, asked = (await loop.tick()).actions
    assert (closed.status, closed.approval_id) == ("expired", "1")
    assert (asked.status, asked.approval_id) == ("pending_approval", "2")
    assert plant.accepted() == []


async def test_an_approved_start_that_is_no_longer_wanted_is_withdrawn(
    plant: "Plant", script: "Script"
) -> None:
    saver = InMemorySaver()
    script.wants("peaker", START_KW)
    async with plant.loop(script, saver=saver) as loop:
        await loop.tick()
        assert saver.storage
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        script.wants_nothing()
        action = only_action(await loop.tick())
        assert (action.status, action.detail) == ("withdrawn", "no longer wanted")
        assert not saver.storage
        assert (await loop.tick()).actions == ()
    assert plant.accepted() == []
    assert plant.act().peaker_kw == 0


async def test_a_halt_keeps_an_approved_start_from_being_carried_out(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("peaker", START_KW)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        halt(plant.ledger, OPERATOR, "smoke in the hall", plant.clock.now())
        assert (await loop.tick()).reason == "the autonomy is halted"
        assert plant.accepted() == []
        resume(plant.ledger, OPERATOR, "false alarm", plant.clock.now())
        assert only_action(await loop.tick()).status == "accepted"


@pytest.fixture
def cautious(make_plant: "Callable[..., Plant]") -> "Plant":
    """A plant where a person agrees to more than 200 kW."""
    return make_plant(limits=Limits.model_validate({"approval": {"power_kw": 200.0}}))


async def test_an_approved_charge_does_not_answer_for_a_discharge(
    cautious: "Plant", script: "Script"
) -> None:
    script.wants("battery", -600.0)
    async with cautious.loop(script) as loop:
        assert only_action(await loop.tick()).status == "pending_approval"
        cautious.advance()
        cautious.approvals.approve("1", OPERATOR, "energy is cheap")
        script.wants("battery", 150.0)
        withdrawn, done = (await loop.tick()).actions
    assert (withdrawn.status, withdrawn.approval_id) == ("withdrawn", "1")
    assert (done.status, done.power_kw) == ("accepted", 150)
    assert [row.power_kw for row in cautious.accepted()] == [150]


async def test_a_battery_dispatch_may_wait_as_a_start_does(cautious: "Plant", script: "Script") -> None:
    script.wants("battery", 600.0)
    async with cautious.loop(script) as loop:
        await loop.tick()
        assert script.views[-1].peaker_start == "none"
        cautious.approvals.approve("1", OPERATOR, "go ahead")
        cautious.advance()
        script.wants("battery", 700.0)
        assert only_action(await loop.tick()).power_kw == 600
        assert script.views[-1].peaker_start == "none"
    assert [row.power_kw for row in cautious.accepted()] == [600]


@pytest.mark.parametrize("other_kw", [-150.0, 0.0, 150.0])
async def test_a_battery_request_that_waits_holds_back_its_own_direction_alone(
    cautious: "Plant", script: "Script", other_kw: float
) -> None:
    script.wants("battery", 600.0)
    async with cautious.loop(script) as loop:
        await loop.tick()
        cautious.advance()
        script.wants("battery", other_kw)
        expected = "waiting" if other_kw > 0 else "accepted"
        assert only_action(await loop.tick()).status == expected
        cautious.advance()
        cautious.approvals.approve("1", OPERATOR, "go ahead")
        script.wants("battery", 700.0)
        assert only_action(await loop.tick()).power_kw == 600
    assert states(cautious) == ["CONSUMED"]


async def test_in_the_interval_of_a_request_its_asset_has_no_other_call(
    cautious: "Plant", script: "Script"
) -> None:
    """Both would have the interval's idempotency key, and only one of them could ever act."""
    script.wants("battery", 600.0)
    async with cautious.loop(script) as loop:
        await loop.tick()
        script.wants("battery", -150.0)
        assert only_action(await loop.tick()).status == "waiting"
    assert cautious.accepted() == []


async def test_each_direction_may_wait_for_its_own_approval(cautious: "Plant", script: "Script") -> None:
    async with cautious.loop(script) as loop:
        for wanted_kw in (600.0, -600.0):
            script.wants("battery", wanted_kw)
            assert only_action(await loop.tick()).status == "pending_approval"
            cautious.advance()
        cautious.approvals.approve("1", OPERATOR, "go ahead")
        script.wants("battery", 500.0)
        assert only_action(await loop.tick()).approval_id == "1"
    assert states(cautious) == ["CONSUMED", "PENDING"]


# -- a call whose answer does not come ----------------------------------------------------------------


class Flaky:
    """A tool that fails when the test says so, before it acts or after it."""

    def __init__(self, name: str) -> None:
        self.fails: Literal["never", "before", "after"] = "never"
        found = {tool.name: tool for tool in discover_tools().tools}
        self._run = found[name].run
        self.tools = (
            *(tool for tool in found.values() if tool.name != name),
            replace(found[name], run=self.run),
        )

    async def run(self, request: Any, context: ToolContext) -> Any:
        if self.fails == "before":
            raise ToolUnavailableError("the line is down")
        answer = await self._run(request, context)
        if self.fails == "after":
            raise ToolUnavailableError("the line is down")
        return answer


@pytest.fixture
def flaky() -> Flaky:
    return Flaky("dispatch_peaker")


async def test_a_request_whose_answer_was_lost_is_found_again(
    make_plant: "Callable[..., Plant]", script: "Script", flaky: Flaky
) -> None:
    plant = make_plant(tools=flaky.tools)
    script.wants("peaker", START_KW)
    flaky.fails = "after"
    async with plant.loop(script) as loop:
        assert only_action(await loop.tick()).status == "refused"
        flaky.fails = "never"
        plant.advance()
        action = only_action(await loop.tick())
        assert (action.status, action.approval_id) == ("waiting", "1")
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        assert only_action(await loop.tick()).status == "accepted"
    assert states(plant) == ["CONSUMED"]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_approved_call_that_failed_is_made_again_and_acts_once(
    make_plant: "Callable[..., Plant]", script: "Script", flaky: Flaky, moment: Any
) -> None:
    saver = InMemorySaver()
    plant = make_plant(tools=flaky.tools)
    script.wants("peaker", START_KW)
    async with plant.loop(script, saver=saver) as loop:
        await loop.tick()
        plant.approvals.approve("1", OPERATOR, "the ramp is real")
        flaky.fails = moment
        refused = only_action(await loop.tick())
        assert (refused.status, refused.approval_id) == ("refused", "1")
        flaky.fails = "never"
        plant.advance()
        done = only_action(await loop.tick())
        assert (done.status, done.approval_id, done.proposal_id) == ("accepted", "1", "1")
        script.wants_nothing()
        plant.advance()
        await loop.tick()
    assert [row.power_kw for row in plant.accepted()] == [START_KW]
    assert states(plant) == ["CONSUMED"]
    assert not saver.storage


async def test_an_approved_call_that_a_guardrail_refuses_keeps_its_approval(
    make_plant: "Callable[..., Plant]", script: "Script"
) -> None:
    plant = make_plant(limits=Limits.model_validate({"approval": {"power_kw": 200.0}}))
    script.wants("battery", 600.0)
    async with plant.loop(script) as loop:
        await loop.tick()
        plant.approvals.approve("1", OPERATOR, "go ahead")
        stored_kwh = plant.simulator.battery.soc_kwh
        plant.simulator.restore(replace(plant.simulator.battery, soc_kwh=0.0), plant.simulator.peaker)
        plant.executor.report()
        plant.advance()
        denied = only_action(await loop.tick())
        assert denied.status == "denied"
        plant.simulator.restore(replace(plant.simulator.battery, soc_kwh=stored_kwh), plant.simulator.peaker)
        plant.advance()
        assert only_action(await loop.tick()).status == "accepted"
    assert states(plant) == ["CONSUMED"]
