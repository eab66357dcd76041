import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mcp import Client
from pydantic import ValidationError
from sqlalchemy import select

from dispatch.schema import audit, proposals
from policies.principal import SCOPE_APPROVE, Principal
from smartgrid.supervising import open_supervisor
from tests.mcp_server.calling import text_of
from tests.tools.small_grid import ANA, OPERATOR, READER, SmallGrid
from tools.errors import ToolScopeError
from tools.halt_autonomy import tool
from tools.registry import discover_tools

REASON = "smoke in the battery hall"
WISH = {"power_kw": 20.0, "duration_min": 60.0, "reason": "the evening ramp"}


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[SmallGrid]:
    """A running area that offers the tool."""
    tools = {found.name: found for found in (*discover_tools().tools, tool)}
    made = SmallGrid(tmp_path / "state", tools=tools.values()).start()
    yield made
    made.close()


def test_a_halt_brings_both_assets_to_their_safe_setpoints_within_one_tick(plant: SmallGrid) -> None:
    plant.ask("discharge_battery", **WISH)
    plant.approvals.approve(plant.ask("dispatch_peaker", **WISH).approval_id, OPERATOR, "agreed")
    plant.ask("dispatch_peaker", **WISH)
    plant.advance()
    assert (plant.owner.readings().battery.power_kw, plant.owner.readings().peaker.power_kw) == (20.0, 20.0)

    answer = plant.ask("halt_autonomy", reason=REASON)

    assert (answer.status, answer.halted_by, answer.reason) == ("halted", ANA.subject, REASON)
    assert answer.halted_at == plant.clock.now()
    assert plant.ask("get_grid_status").halted
    plant.advance()
    readings = plant.owner.readings()
    assert readings.battery.power_kw == 0.0
    # The peaker has to stay up for its minimum time, at its minimum.
    assert readings.peaker.power_kw == pytest.approx(plant.limits.peaker.min_power_kw)
    with plant.ledger.reading() as connection:
        assert set(connection.execute(select(proposals.c.state)).scalars()) == {"WITHDRAWN"}


def test_while_halted_both_loops_stand_still_and_say_so(plant: SmallGrid) -> None:
    plant.ask("halt_autonomy", reason=REASON)
    before = plant.written()

    async def tick() -> list[tuple[str, str]]:
        async with AsyncExitStack() as stack:
            supervisor = await open_supervisor(stack, plant.workplace, ("response", "trading"))
            return [(loop.outcome, loop.reason) for loop in (await supervisor.tick()).loops]

    assert asyncio.run(tick()) == [("blocked", "the autonomy is halted")] * 2
    assert plant.written() == before


def test_a_second_halt_changes_nothing_and_names_the_first(plant: SmallGrid) -> None:
    first = plant.ask("halt_autonomy", reason=REASON)
    before = plant.written()
    plant.advance()
    again = plant.ask("halt_autonomy", reason="me too")
    assert (again.status, again.reason, again.halted_at) == ("already_halted", REASON, first.halted_at)
    assert plant.written()["audit"] - before["audit"] <= 1  # the tick's own entry
    with plant.ledger.reading() as connection:
        halts = list(connection.execute(select(audit).where(audit.c.kind == "halted")))
    assert [(entry.actor, json.loads(entry.payload)["reason"]) for entry in halts] == [(ANA.subject, REASON)]
    assert plant.ledger.verify_audit().ok


def test_no_tool_resumes_what_a_halt_stopped(plant: SmallGrid) -> None:
    answer = plant.ask("halt_autonomy", reason=REASON)
    assert "no tool resumes" in answer.next_step
    assert "smartgrid resume" in answer.next_step
    assert not hasattr(plant.context(tool, {}).desk, "resume")
    assert not hasattr(plant.context(tool, {}).desk, "halt")


@pytest.mark.parametrize("principal", [READER, Principal("operator:ben", frozenset({SCOPE_APPROVE}), 30)])
def test_without_the_scope_to_dispatch_the_tool_is_refused_and_nothing_changes(
    plant: SmallGrid, principal: Principal
) -> None:
    before = plant.written()

    async def call() -> str:
        async with Client(plant.server(principal)) as client:
            result = await client.call_tool("halt_autonomy", {"reason": REASON})
            assert result.is_error
            return text_of(result)

    assert "needs the scope grid:dispatch" in asyncio.run(call())
    assert plant.written() == before
    assert not plant.ask("get_grid_status").halted


def test_a_tool_that_only_reads_cannot_halt(plant: SmallGrid) -> None:
    reading = plant.context(plant.tools["get_grid_status"], {})
    with pytest.raises(ToolScopeError, match="only a tool with effect='act'"):
        reading.halt(REASON)
    assert not plant.ask("get_grid_status").halted


@pytest.mark.parametrize("reason", ["", "no", "x" * 501, None, 7])
def test_a_halt_needs_a_sentence_that_says_why(plant: SmallGrid, reason: object) -> None:
    with pytest.raises(ValidationError, match="reason"):
        plant.ask("halt_autonomy", reason=reason)
    assert not plant.ask("get_grid_status").halted
