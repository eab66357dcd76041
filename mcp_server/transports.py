"""Serving: stdio for desktop clients, streamable HTTP on this machine, and beyond it behind tokens."""

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Router

from mcp_server.errors import ServeError
from policies.principal import SCOPE_DISPATCH, SCOPE_READ

MCP_PATH = "/mcp"
THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(host: str) -> None:
    """Refuse to serve beyond this machine without tokens: nobody could be told from anybody else.

    Raises:
        ServeError: for any host but localhost.
    """
    if not is_loopback(host):
        raise ServeError(
            f"host={host!r}: serving beyond this machine needs tokens (smartgrid token create, or an OAuth "
            "issuer in the settings); else use 127.0.0.1"
        )


async def serve_stdio(server: MCPServer[None]) -> None:
    """Serve on standard input and output until the client closes them."""
    await server.run_stdio_async()


def http_app(
    server: MCPServer[None], host: str, routes: Sequence[BaseRoute] = (), *, public_url: str | None = None
) -> Starlette:
    """The web application: MCP at ``/mcp`` and ``routes`` beside it; beyond this machine all want a token.

    Args:
        server: whether it asks for tokens decides where it may be served.
        host: address that it listens on.
        routes: pages beside it; beyond this machine they need a token with the scope ``grid:read``.
        public_url: scheme and host under which clients reach it, where that is not ``host``.

    Raises:
        ServeError: when ``host`` or ``public_url`` is not this machine and the server knows no tokens.
    """
    auth, names = server.settings.auth, _reached_by(host, public_url)
    if auth is None:
        for name in names:
            require_loopback(name)
    app = server.streamable_http_app(
        streamable_http_path=MCP_PATH, host=host, transport_security=_names(host, public_url)
    )
    if auth is not None and auth.resource_server_url is not None:
        # Before the SDK's own, which names no scopes: clients ask their issuer for those that are named.
        app.router.routes[:0] = create_protected_resource_routes(
            resource_url=auth.resource_server_url,
            authorization_servers=[auth.issuer_url],
            scopes_supported=[SCOPE_READ, SCOPE_DISPATCH],
        )
    if all(map(is_loopback, names)):
        app.router.routes.extend(routes)
    else:
        app.router.routes.append(Mount("/", RequireAuthMiddleware(Router(routes), [SCOPE_READ])))
    return app


def _reached_by(host: str, public_url: str | None) -> list[str]:
    """Where requests come from: a proxy on this machine brings those of others."""
    return [host] if public_url is None else [host, urlsplit(public_url).hostname or ""]


def _names(host: str, public_url: str | None) -> TransportSecuritySettings:
    """Names by which requests may come in; a foreign one that resolves to us (DNS rebinding) may not."""
    own = [*THIS_MACHINE, f"[{host}]" if ":" in host else host]
    hosts = [pattern for name in own for pattern in (name, f"{name}:*")]
    origins = [f"http://{name}" for name in hosts]
    if public_url is not None:
        public = urlsplit(public_url)
        hosts.append(public.netloc)
        origins.append(f"{public.scheme}://{public.netloc}")
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


class _Server(uvicorn.Server):
    """Leaves the process's signals to the role that serves."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def http_server(
    server: MCPServer[None],
    host: str,
    port: int,
    routes: Sequence[BaseRoute] = (),
    *,
    public_url: str | None = None,
) -> uvicorn.Server:
    """A web server to ``await server.serve()``; set its ``should_exit`` to end it.

    The arguments are those of :func:`http_app`, and the port.

    Raises:
        ServeError: when ``host`` is not this machine and the server knows no tokens.
    """
    return _Server(
        uvicorn.Config(
            http_app(server, host, routes, public_url=public_url),
            host=host,
            port=port,
            log_config=None,  # its complaints go where the role's logs go
            log_level="warning",
            timeout_graceful_shutdown=3,
        )
    )
