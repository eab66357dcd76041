"""What a loop does when a tool fails: it says so in the server's words, and does not act on a guess."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestURLParams, InputRequiredResult

from grid_supervisor.calls import call_tool
from grid_supervisor.errors import ToolCallError
from tools.contract import Tool, ToolContext
from tools.errors import ToolUnavailableError
from tools.registry import discover_tools

if TYPE_CHECKING:
    from tests.grid_supervisor.conftest import Plant, Script

pytestmark = pytest.mark.anyio

WORDS = "the meter is being replaced; try again at noon"


def with_broken(name: str) -> tuple[Tool, ...]:
    """All tools, one of which cannot answer."""

    async def fail(request: Any, context: ToolContext) -> Any:
        raise ToolUnavailableError(WORDS)

    return tuple(replace(tool, run=fail) if tool.name == name else tool for tool in discover_tools().tools)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("get_grid_status", "the grid could not be read: "),
        ("quote_prices", "the grid could not be read: "),
        ("check_telemetry", "the telemetry could not be checked: "),
    ],
)
async def test_a_loop_that_cannot_sense_is_blocked_with_the_servers_words(
    make_plant: "Callable[..., Plant]", script: "Script", broken: str, reason: str
) -> None:
    plant = make_plant(tools=with_broken(broken))
    script.wants("battery", 100.0)
    async with plant.loop(script) as loop:
        result = await loop.tick()
    assert result.outcome == "blocked"
    assert result.reason.startswith(reason)
    assert WORDS in result.reason
    assert script.views == []
    assert plant.accepted() == []


async def test_a_forecast_that_fails_is_a_missing_one(
    make_plant: "Callable[..., Plant]", script: "Script"
) -> None:
    plant = make_plant(tools=with_broken("forecast_net_load"))
    script.wants("battery", 100.0)
    async with plant.loop(script) as loop:
        assert (await loop.tick()).outcome == "acted"
    assert script.views[0].forecast is None
    assert script.views[0].outlook_kw == ()


async def test_a_dispatch_that_fails_is_refused_and_the_next_interval_asks_again(
    make_plant: "Callable[..., Plant]", script: "Script"
) -> None:
    plant = make_plant(tools=with_broken("charge_battery"))
    async with plant.loop(script) as loop:
        script.wants("battery", -100.0)
        result = await loop.tick()
        assert result.outcome == "idle"
        assert [action.status for action in result.actions] == ["refused"]
        assert WORDS in result.actions[0].detail
        plant.advance()
        script.wants("battery", 100.0)
        assert (await loop.tick()).outcome == "acted"


async def test_a_server_that_breaks_blocks_the_tick_without_a_traceback(
    plant: "Plant", script: "Script"
) -> None:
    async with plant.loop(script) as loop:
        assert (await loop.tick()).outcome == "idle"
        plant.store.close()
        result = await loop.tick()
    assert (result.outcome, result.interval_start) == ("blocked", None)
    assert "telemetry.db: cannot be read (Cannot operate on a closed database.)" in result.reason
    assert "Traceback" not in result.reason
    assert "sqlite3" not in result.reason


async def test_a_view_that_no_plan_can_be_made_of_blocks_the_tick_with_the_reason(plant: "Plant") -> None:
    contradictory = replace(plant.limits, ramp_limit_kw=-10.0)
    plant.workplace.area = replace(plant.workplace.area, limits=contradictory)
    async with plant.loop(name="trading") as loop:
        result = await loop.tick()
    assert result.outcome == "blocked"
    assert result.reason.startswith("no decision: plan at 2026-03-01T12:00:00+00:00: ")
    assert plant.accepted() == []


# -- the call itself --------------------------------------------------------------------------------


def odd_server() -> MCPServer[None]:
    """Tools that answer as ours never should."""
    server: MCPServer[None] = MCPServer("odd")

    @server.tool()
    async def breaks_the_protocol() -> str:
        raise MCPError(code=-32000, message="the connection is gone")

    @server.tool()
    async def asks_back() -> InputRequiredResult:
        page = ElicitRequestURLParams(message="who are you?", url="https://example.org", elicitation_id="1")
        return InputRequiredResult(input_requests={"who": ElicitRequest(params=page)})

    @server.tool(structured_output=False)
    async def chats() -> str:
        return "all is well"

    return server


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("breaks_the_protocol", "breaks_the_protocol: the connection is gone"),
        ("asks_back", "asks_back: the server asks for input; the supervisor gives none"),
        ("chats", "chats: the answer has no structured content"),
        ("is_not_there", "Unknown tool: is_not_there"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_an_error_that_names_its_tool(tool: str, words: str) -> None:
    async with Client(odd_server()) as client:
        with pytest.raises(ToolCallError) as caught:
            await call_tool(client, tool, {})
    assert str(caught.value) == words
