"""Servers over real HTTP, and clients that bring a bearer token."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

from mcp_server.transports import MCP_PATH, http_server

HOST = "127.0.0.1"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HEADERS = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def served(server: MCPServer[None]) -> AsyncIterator[str]:
    """A web server on a port that the system chose; its URL."""
    # Named as TCP: else asyncio leaves Nagle on, and each answer waits 40 ms for an acknowledgement.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind((HOST, 0))
        listening.listen()  # from here on a client may connect: it waits until the server accepts
        port = listening.getsockname()[1]
        web = http_server(server, HOST, port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(web.serve, [listening])
            yield f"http://{HOST}:{port}{MCP_PATH}"
            web.should_exit = True


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


@asynccontextmanager
async def client_with(url: str, text: str, mode: str) -> AsyncIterator[Client]:
    """A client whose every request carries that token."""
    async with (
        httpx2.AsyncClient(headers=bearer(text), timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
