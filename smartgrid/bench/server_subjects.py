"""What is called: a bare server of the SDK with a trivial tool, and ours with the same one beside its own."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server import MCPServer
from pydantic import BaseModel

from mcp_server.isolation import OWN_PACKAGE
from mcp_server.transports import MCP_PATH, http_server
from policies.principal import SCOPE_READ
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput
from tools.registry import discover_tools

HOST = "127.0.0.1"
ERAS = {"2026-07-28": "auto", "2025-11-25": "legacy"}
"""Protocol revision → mode of the SDK's client: without a session, and with one and its handshake."""
TRIVIAL = "add_numbers"
PLUGIN = "add_numbers_plugin"
ADDENDS = {"a": 2.0, "b": 3.0}
SUBJECTS: dict[str, dict[str, Any]] = {
    TRIVIAL: ADDENDS,
    PLUGIN: ADDENDS,
    "get_grid_status": {},
    "forecast_net_load": {},
}
"""Tools on our server that are called, with their arguments."""

Address = MCPServer[Any] | str


class _Addends(ToolInput):
    """Two numbers."""

    a: float
    b: float


class _Total(ToolOutput):
    """Their sum."""

    total: float


class _BareTotal(BaseModel):
    """The same, as any server would declare it."""

    total: float


async def _add(request: _Addends, context: ToolContext) -> _Total:  # noqa: ARG001  the contract's signature
    return _Total(total=request.a + request.b)


@dataclass(frozen=True, slots=True)
class Offered:
    """Both servers."""

    bare: MCPServer[Any]
    ours: MCPServer[Any]


def bare_server() -> MCPServer[None]:
    """The SDK's server as its documentation makes one, with a trivial tool."""
    server: MCPServer[None] = MCPServer("bare", log_level="WARNING")

    @server.tool(TRIVIAL)
    async def add(a: float, b: float) -> _BareTotal:
        """Add two numbers."""
        return _BareTotal(total=a + b)

    return server


def trivial_tools() -> tuple[Tool, Tool]:
    """The same tool through our contract: as one of ours, and as a third party's."""

    async def own(request: _Addends, context: ToolContext) -> _Total:
        return await _add(request, context)

    own.__module__ = f"{OWN_PACKAGE}.{TRIVIAL}"  # runs where our own tools do; a third party's has a thread
    return _trivial(TRIVIAL, own), _trivial(PLUGIN, _add)


def _trivial(name: str, run: Callable[[Any, ToolContext], Awaitable[ToolOutput]]) -> Tool:
    return Tool(name, "Add numbers", "Add two numbers.", "read", SCOPE_READ, _Addends, _Total, run)


def every_tool() -> dict[str, Tool]:
    """All that are installed, and the trivial ones."""
    return {tool.name: tool for tool in (*discover_tools().tools, *trivial_tools())}


@asynccontextmanager
async def listening(server: MCPServer[Any]) -> AsyncIterator[str]:
    """Serve over HTTP on a free port of this machine, in this process; the URL."""
    # Named as TCP, else asyncio lets small packets wait (Nagle): 40 ms on each answer.
    with socket.socket(proto=socket.IPPROTO_TCP) as sock:
        sock.bind((HOST, 0))
        sock.listen(1024)
        port = sock.getsockname()[1]
        web = http_server(server, HOST, port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(web.serve, [sock])
            yield f"http://{HOST}:{port}{MCP_PATH}"
            web.should_exit = True
