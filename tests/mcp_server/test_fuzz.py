"""Whatever is asked, by whomever: an answer, or a refusal that changes nothing and shows no inside.

Arguments are made from each tool's own input schema, as a client sees it: right ones, the same with one
of them another or one too many, and any JSON at all.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.server import MCPServer
from mcp.types import CallToolResult
from sqlalchemy import select

from dispatch.flags import resume
from dispatch.schema import metadata
from mcp_server.schemas import schema_of
from policies.principal import Principal
from smartgrid.testing.arguments import arguments_for
from tests.mcp_server.calling import INTERNAL, text_of
from tests.tools.small_grid import ANA, OPERATOR, READER, SmallGrid
from tools import explain_decision, halt_autonomy, simulate_scenario
from tools.contract import Tool
from tools.registry import discover_tools

TOOLS = {
    tool.name: tool
    for tool in (
        *discover_tools().tools,
        explain_decision.tool,
        halt_autonomy.tool,
        simulate_scenario.tool,
    )
}
WISH: dict[str, Any] = {"power_kw": 20.0, "duration_min": 60.0, "reason": "the evening ramp"}
NEAR: dict[str, dict[str, Any]] = {
    "charge_battery": WISH,
    "discharge_battery": WISH,
    "dispatch_peaker": WISH,
    "check_compliance": {"action": {"asset": "battery", "power_kw": 500.0}},
    "halt_autonomy": {"reason": "a drill"},
    "lookup_regulation": {"question": "BAL-003 R1"},
    "query_history": {"start": "2024-05-04T00:00:00Z", "end": "2024-05-05T00:00:00Z"},
    "simulate_scenario": {"kind": "unit_trip", "size": 50.0, "duration_min": 5.0},
}
"""Arguments that have an answer; for the other tools, none have."""
INSIDE = (INTERNAL, "Traceback", 'File "', "pydantic", "sqlalchemy", "object at 0x")
EXAMPLES = 20
SLOW_EXAMPLES = 10


def contents(plant: SmallGrid) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the ledger."""
    with plant.ledger.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


async def called(server: MCPServer[None], name: str, arguments: dict[str, Any], mode: str) -> CallToolResult:
    async with Client(server, mode=mode) as client:
        return await client.call_tool(name, arguments)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGrid]:
    """An area in which something was decided already, so that there is something to explain."""
    made = SmallGrid(tmp_path_factory.mktemp("fuzzed"), tools=TOOLS.values()).start()
    made.ask("discharge_battery", **WISH)
    made.advance()
    yield made
    made.close()


def check_refused(tool: Tool, principal: Principal, result: CallToolResult) -> None:
    text = text_of(result)
    assert result.structured_content is None
    assert 10 < len(text) < 2000
    for inside in INSIDE:
        assert inside not in text
    if tool.scope not in principal.scopes:
        assert f"needs the scope {tool.scope}" in text


def check_answered(
    tool: Tool, principal: Principal, result: CallToolResult, new_rows: dict[str, int]
) -> None:
    content = json.loads(text_of(result), parse_constant=pytest.fail)
    assert content == result.structured_content
    assert tool.scope in principal.scopes
    status = content.get("status") if tool.effect == "act" else None
    # Denials are on record in the audit trail, and nowhere else; a key that comes again acts no second time.
    assert new_rows["proposals"] <= (status == "accepted")
    assert new_rows["approvals"] <= (status == "pending_approval")
    assert new_rows["dispatches"] == 0
    if status is None or status == "already_halted":
        assert not any(new_rows.values())


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_no_argument_breaks_a_tool_and_a_refusal_changes_nothing(plant: SmallGrid, name: str) -> None:
    tool = TOOLS[name]
    schema = schema_of(tool.input_model, "validation")
    servers = {principal: plant.server(principal) for principal in (ANA, READER)}

    @settings(max_examples=SLOW_EXAMPLES if name == "simulate_scenario" else EXAMPLES)
    @given(
        arguments_for(schema, NEAR.get(name, {})),
        st.sampled_from([ANA, READER]),
        st.sampled_from(["auto", "legacy"]),
    )
    def check(arguments: dict[str, Any], principal: Principal, mode: str) -> None:
        before = contents(plant)
        result = asyncio.run(called(servers[principal], name, arguments, mode))
        after = contents(plant)
        if result.is_error:
            check_refused(tool, principal, result)
            assert after == before
            return
        check_answered(
            tool, principal, result, {table: len(after[table]) - len(before[table]) for table in after}
        )
        if tool.effect == "read":
            assert after == before
        if name == "halt_autonomy":
            resume(plant.ledger, OPERATOR, "on with the drill", plant.clock.now())

    check()


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_arguments_near_the_example_are_answered_too(plant: SmallGrid, name: str) -> None:
    """The fuzzing above reaches the tools themselves, not only the door before them."""
    result = asyncio.run(called(plant.server(), name, NEAR.get(name, {}), "auto"))
    assert not result.is_error or name == "lookup_regulation", text_of(result)
