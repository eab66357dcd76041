import json
from importlib.metadata import version
from typing import Any

import pytest
from mcp import Client

from mcp_server.isolation import is_own
from mcp_server.server import INSTRUCTIONS, build_server
from policies.principal import SCOPE_READ
from tests.mcp_server.calling import INTERNAL, TOOLS, WISH, answer, refusal, short_tour, text_of
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import ANA, OPERATOR, READER, SmallGrid
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput
from tools.registry import discover_tools

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", MODES)]


class Ask(ToolInput):
    """Nothing to ask."""


class Tree(ToolOutput):
    """An answer that contains others of its kind."""

    note: str | None
    children: list["Tree"]


def plugin(name: str, run: Any) -> Tool:
    return Tool(name, "A plugin", "Of a third party.", "read", SCOPE_READ, Ask, Tree, run)


async def test_a_client_reads_the_forecast_discharges_and_sees_the_effect(
    plant: SmallGrid, mode: str
) -> None:
    async with Client(plant.server(), mode=mode) as client:
        await short_tour(client, plant)
        assert client.instructions == INSTRUCTIONS


async def test_a_charge_raises_the_meter(plant: SmallGrid, mode: str) -> None:
    async with Client(plant.server(), mode=mode) as client:
        charged = await answer(client, "charge_battery", **WISH)
        plant.advance()
        status = await answer(client, "get_grid_status")
    assert (charged["power_kw"], status["battery"]["power_kw"]) == (-20.0, -20.0)
    assert status["metered_means_kw"][-1] == pytest.approx(status["native_means_kw"][-1] + 20.0)


async def test_every_tool_sets_all_its_hints_and_they_do_not_contradict(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == TOOLS
    for tool in listed:
        hints = tool.annotations
        assert hints is not None
        assert isinstance(hints.read_only_hint, bool)
        assert isinstance(hints.idempotent_hint, bool)
        assert isinstance(hints.open_world_hint, bool)
        assert hints.destructive_hint is not hints.read_only_hint
        assert hints.read_only_hint is (quiet_plant.tools[tool.name].effect == "read")
        assert tool.title
        assert tool.description


async def test_our_tools_cost_an_agent_fewer_than_30_000_characters(
    quiet_plant: SmallGrid, mode: str
) -> None:
    own = {name: tool for name, tool in quiet_plant.tools.items() if is_own(tool)}
    assert set(TOOLS) >= set(own) >= {"get_grid_status", "discharge_battery", "lookup_regulation"}
    server = build_server(own.values(), lambda: quiet_plant.workplace.context(ANA))
    async with Client(server, mode=mode) as client:
        listed = await client.list_tools()
    assert len(listed.model_dump_json(by_alias=True, exclude_none=True)) < 30_000


async def test_the_server_says_who_it_is_in_few_words(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.title) == ("smartgrid", "SmartGrid")
        assert client.server_info.version == version("smartgrid-ai")
        assert client.instructions == INSTRUCTIONS
    assert len(INSTRUCTIONS) < 600


async def test_the_wire_carries_the_names_of_the_mission(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        result = await client.call_tool("get_grid_status", {})
    for site in json.loads(text_of(result))["sites"]:
        assert isinstance(site["Net_Load_kW"], float)
        assert isinstance(site["Predicted_30min_Change"], float)


async def test_all_tools_answer_what_their_schema_promises(plant: SmallGrid, mode: str) -> None:
    # The client checks each answer against the schema that the server has published.
    now = plant.clock.now().isoformat()
    calls: dict[str, dict[str, Any]] = {
        "check_telemetry": {},
        "check_compliance": {"action": {"asset": "battery", "power_kw": 500, "emergency": "energy"}},
        "lookup_regulation": {"question": "BAL-003 R1", "rephrasings": ["frequency response measure"]},
        "quote_prices": {"hours_ahead": 48},
        "query_history": {"start": "2024-05-04T00:00:00Z", "end": now, "resolution": "raw"},
        "dispatch_peaker": WISH,
    }
    async with Client(plant.server(), mode=mode) as client:
        for name, arguments in calls.items():
            await answer(client, name, **arguments)


@pytest.mark.parametrize("name", ["charge_battery", "discharge_battery", "dispatch_peaker"])
async def test_without_the_dispatch_scope_nobody_acts(quiet_plant: SmallGrid, mode: str, name: str) -> None:
    before = quiet_plant.written()
    for principal in (READER, OPERATOR):
        async with Client(quiet_plant.server(principal), mode=mode) as client:
            text = await refusal(client, name, **WISH)
            assert "needs the scope grid:dispatch" in text
            assert f"this connection ({principal.subject}) has: {', '.join(sorted(principal.scopes))}" in text
            await answer(client, "get_grid_status")
    assert quiet_plant.written() == before


async def test_who_calls_is_said_by_the_connection_and_by_no_argument(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async with Client(quiet_plant.server(READER), mode=mode) as client:
        text = await refusal(client, "get_grid_status", principal="local:ana")
    assert "principal: no such argument; remove it or correct its name" in text


async def test_a_tool_that_breaks_says_so_without_showing_its_inside(
    quiet_plant: SmallGrid, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Ask, context: ToolContext) -> Tree:
        raise RuntimeError("password=swordfish")

    server = build_server([plugin("break_down", broken)], lambda: quiet_plant.workplace.context(ANA))
    async with Client(server, mode=mode) as client:
        result = await client.call_tool("break_down", {})
    assert result.is_error
    assert INTERNAL in text_of(result)
    assert "get_grid_status" in text_of(result)
    assert "swordfish" not in text_of(result)
    assert "Traceback" not in text_of(result)
    assert "password=swordfish" in caplog.text


async def test_a_tool_whose_answer_is_not_what_it_promised_is_an_error(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async def liar(request: Ask, context: ToolContext) -> ToolOutput:
        return ToolOutput()

    server = build_server([plugin("tell_lies", liar)], lambda: quiet_plant.workplace.context(ANA))
    async with Client(server, mode=mode) as client:
        result = await client.call_tool("tell_lies", {})
    assert result.is_error
    assert "children" not in text_of(result)


async def test_an_answer_that_contains_others_of_its_kind_takes_no_tool_away(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async def grow(request: Ask, context: ToolContext) -> Tree:
        return Tree(note=None, children=[Tree(note="leaf", children=[])])

    tools = [plugin("grow_tree", grow), *discover_tools().tools]
    async with Client(build_server(tools, lambda: quiet_plant.workplace.context(ANA)), mode=mode) as client:
        assert len((await client.list_tools()).tools) == len(TOOLS) + 1
        found = await answer(client, "grow_tree")
    assert found == {"note": None, "children": [{"note": "leaf", "children": []}]}


async def test_an_unknown_tool_is_refused_by_name(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        assert "approve_dispatch" in await refusal(client, "approve_dispatch", approval_id="1")
