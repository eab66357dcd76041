"""Update notifications to whoever watches a resource, in both protocol eras.

Clients of 2026-07-28 open a stream (``subscriptions/listen``), which the SDK serves from a bus. Earlier ones
subscribe a connection (``resources/subscribe``), which it does not serve: this bus does.
"""

from collections.abc import Callable

import anyio
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

MOST_FOLLOWED = 1000
"""Addresses that one connection may subscribe to."""
PATIENCE_S = 1.0
"""How long a client that stopped reading holds up the others."""


class UpdateBus:
    """A subscription bus (see :class:`mcp.server.subscriptions.SubscriptionBus`) for clients of both eras."""

    def __init__(self) -> None:
        self._streams = InMemorySubscriptionBus()
        self._open: set[object] = set()
        self._followed: dict[Connection, set[str]] = {}

    @property
    def is_watched(self) -> bool:
        """Whether anybody is subscribed to anything."""
        return bool(self._open or self._followed)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Add a stream's listener; what is returned removes it."""
        leave, token = self._streams.subscribe(listener), object()
        self._open.add(token)

        def unsubscribe() -> None:
            leave()
            self._open.discard(token)

        return unsubscribe

    async def publish(self, event: ServerEvent) -> None:
        """Tell every stream, and every connection that follows the resource."""
        await self._streams.publish(event)
        if isinstance(event, ResourceUpdated):
            for connection in [found for found, uris in self._followed.items() if event.uri in uris]:
                with anyio.move_on_after(PATIENCE_S):
                    await connection.notify("notifications/resources/updated", {"uri": event.uri})

    async def follow(self, ctx: ServerRequestContext[None], params: SubscribeRequestParams) -> EmptyResult:
        """Serve ``resources/subscribe``; the connection's end ends it."""
        connection = _connection(ctx)
        if connection not in self._followed:
            self._followed[connection] = set()
            connection.exit_stack.callback(self._followed.pop, connection, None)
        uris = self._followed[connection]
        if len(uris) >= MOST_FOLLOWED:
            raise MCPError(INVALID_PARAMS, f"this connection follows {MOST_FOLLOWED} resources already")
        uris.add(str(params.uri))
        return EmptyResult()

    async def unfollow(
        self, ctx: ServerRequestContext[None], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        """Serve ``resources/unsubscribe``."""
        self._followed.get(_connection(ctx), set()).discard(str(params.uri))
        return EmptyResult()


def _connection(ctx: ServerRequestContext[None]) -> Connection:
    """The connection behind a request: the SDK hands out a session for each request, and this nowhere."""
    return ctx.session._connection
