"""Calling through a client, and the tour that every connection must pass."""

import json
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from grid.telemetry import AREA_SITE, NATIVE_SITE
from tests.tools.small_grid import SmallGrid
from tools.registry import discover_tools

TOOLS = [tool.name for tool in discover_tools().tools]
WISH: dict[str, Any] = {"power_kw": 20.0, "duration_min": 60.0, "reason": "the evening ramp"}
INTERNAL = "failed inside the server"


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def answer(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer, which the text repeats for clients that know no structure."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, text_of(result)
    assert isinstance(result.structured_content, dict)
    assert json.loads(text_of(result)) == result.structured_content
    return result.structured_content


async def refusal(client: Client, name: str, **arguments: Any) -> str:
    """The text of an error: words for the caller, and nothing of the server's inside."""
    result = await client.call_tool(name, arguments)
    assert result.is_error, text_of(result)
    assert result.structured_content is None
    text = text_of(result)
    for inside in ("Traceback", 'File "', ".py", "pydantic", INTERNAL):
        assert inside not in text
    return text


async def short_tour(client: Client, plant: SmallGrid) -> None:
    """List the tools, read the forecast, discharge, and see it in the next telemetry."""
    listed = await client.list_tools()
    assert [tool.name for tool in listed.tools] == TOOLS
    forecast = await answer(client, "forecast_net_load", outlook_hours=1.0)
    assert forecast["net_load_kw"] == plant.newest(NATIVE_SITE).net_load_kw
    assert forecast["p10_change_kw"] < forecast["p50_change_kw"] < forecast["p90_change_kw"]
    assert len(forecast["outlook_kw"]) == 13

    accepted = await answer(client, "discharge_battery", **WISH)
    assert (accepted["status"], accepted["power_kw"]) == ("accepted", 20.0)
    plant.advance()
    status = await answer(client, "get_grid_status")
    net_load = {site["site"]: site["Net_Load_kW"] for site in status["sites"]}
    assert status["battery"]["power_kw"] == 20.0
    assert net_load[AREA_SITE] == pytest.approx(net_load[NATIVE_SITE] - 20.0)
    history = await answer(
        client, "query_history", start=status["sites"][0]["ts_utc"], end=status["now"], resolution="raw"
    )
    assert [row["net_load_kw"] for row in history["rows"]] == [net_load[AREA_SITE]]
