"""The SDK's client takes the same tour over every transport, in both eras."""

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.conformance.conftest import SERVER
from tests.mcp_server.calling import short_tour
from tests.mcp_server.conftest import MODES
from tests.mcp_server.served import served
from tests.tools.small_grid import SmallGrid


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[SmallGrid]:
    made = SmallGrid(tmp_path / "state").start()
    yield made
    made.close()


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", ["memory", "stdio", "http"])
async def test_every_connection_shows_and_does_the_same(
    plant: SmallGrid, tmp_path: Path, transport: str, mode: str
) -> None:
    async with AsyncExitStack() as stack:
        if transport == "memory":
            client = Client(plant.server(), mode=mode)
        elif transport == "http":
            client = Client(await stack.enter_async_context(served(plant.server())), mode=mode)
        else:
            arguments = [SERVER, "stdio", str(tmp_path / "state")]
            client = Client(StdioServerParameters(command=sys.executable, args=arguments), mode=mode)
        await short_tour(await stack.enter_async_context(client), plant)
