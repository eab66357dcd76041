"""Cards for clients with MCP Apps: listed with the tools, self-contained, and nothing lost for the others.

How they look and what they do is tested in Chromium (tests/browser/test_cards.py).
"""

import re

import pytest
from mcp import Client
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.shared.exceptions import MCPError
from mcp.types import TextContent, TextResourceContents

from mcp_server.apps import CARD_OF, DISPATCH, FORECAST, page_of
from mcp_server.offer import Offer
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import ANA, SmallGrid

pytestmark = pytest.mark.anyio
in_both_eras = pytest.mark.parametrize("mode", MODES)


@in_both_eras
async def test_tools_name_a_card_that_can_be_read(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        named = {name: (tool.meta or {}).get("ui", {}).get("resourceUri") for name, tool in tools.items()}
        assert {name: uri for name, uri in named.items() if uri} == CARD_OF
        for uri in set(CARD_OF.values()):
            (content,) = (await client.read_resource(uri)).contents
            assert isinstance(content, TextResourceContents)
            assert content.mime_type == APP_MIME_TYPE
            assert content.text == page_of(uri)
        extensions = client.server_capabilities.extensions or {}
        assert (EXTENSION_ID in extensions) == (mode == "auto"), "the handshake's versions know no extensions"


async def test_a_client_without_cards_gets_the_whole_answer_as_text(quiet_plant: SmallGrid) -> None:
    async with Client(quiet_plant.server()) as client:
        result = await client.call_tool("forecast_net_load", {})
    assert isinstance(result.content[0], TextContent)
    assert "p50_level_kw" in result.content[0].text
    assert result.structured_content is not None


async def test_only_cards_of_tools_that_are_offered_can_be_read(quiet_plant: SmallGrid) -> None:
    async with Client(quiet_plant.workplace.server_for(ANA, Offer(read_only=True))) as client:
        assert (await client.read_resource(FORECAST)).contents
        with pytest.raises(MCPError):
            await client.read_resource(DISPATCH)


@in_both_eras
async def test_cards_are_not_among_the_resources_that_people_choose_from(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        listed = {str(resource.uri) for resource in (await client.list_resources()).resources}
    assert listed
    assert listed.isdisjoint(CARD_OF.values())


@pytest.mark.parametrize("uri", [FORECAST, DISPATCH])
def test_a_card_loads_nothing_calls_nothing_and_writes_no_markup(uri: str) -> None:
    page = page_of(uri)
    assert not re.findall(r"\{(title|host|card)\}", page)
    assert not re.findall(r"(?:src|href)=|url\(|@import|fetch\(|XMLHttp|WebSocket|import\(", page)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", page)
    assert "tools/call" not in page
    assert set(re.findall(r"https?://\S+", page)) <= {'http://www.w3.org/2000/svg",'}
