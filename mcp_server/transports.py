"""Serving: stdio for desktop clients, streamable HTTP on this machine only."""

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from mcp_server.errors import ServeError

MCP_PATH = "/mcp"


def require_loopback(host: str) -> None:
    """Refuse to serve beyond this machine: without tokens nobody could be told from anybody else.

    Raises:
        ServeError: for any host but localhost.
    """
    if host == "localhost":
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ServeError(
        f"host={host!r}: serving beyond this machine needs tokens, which this version has not; use 127.0.0.1"
    )


async def serve_stdio(server: MCPServer[None]) -> None:
    """Serve on standard input and output until the client closes them."""
    await server.run_stdio_async()


def http_app(server: MCPServer[None], host: str, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The web application: MCP at ``/mcp`` and ``routes`` beside it.

    Raises:
        ServeError: when ``host`` is not this machine.
    """
    require_loopback(host)
    app = server.streamable_http_app(streamable_http_path=MCP_PATH, host=host)
    app.router.routes.extend(routes)
    return app


class _Server(uvicorn.Server):
    """Leaves the process's signals to the role that serves."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def http_server(app: Starlette, host: str, port: int) -> uvicorn.Server:
    """A web server to ``await server.serve()``; set its ``should_exit`` to end it.

    Raises:
        ServeError: when ``host`` is not this machine.
    """
    require_loopback(host)
    return _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,  # its complaints go where the role's logs go
            log_level="warning",
            timeout_graceful_shutdown=3,
        )
    )
