"""Serving a plant over HTTP: MCP at ``/mcp``, the operator's page at ``/console``."""

import logging
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import anyio
import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from mcp_server.identity import Access, BearerVerifier
from mcp_server.jwks import JwksVerifier
from mcp_server.transports import MCP_PATH, http_server, is_loopback
from policies.principal import local_principal
from smartgrid.area import Workplace
from smartgrid.console_serving import add_console
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.ledger_access import this_user
from smartgrid.observability import observability_routes
from smartgrid.offering import offer_of
from smartgrid.public_url import public_url
from smartgrid.settings import Settings
from smartgrid.tokens import TokenStore, is_local

START_POLL_S = 0.05

logger = logging.getLogger(__name__)


def access_of(settings: Settings) -> Access | None:
    """The tokens that are asked of callers; None where whoever reaches this machine is its local user.

    They are asked where an issuer is set, where ``require_tokens`` is, and as soon as a token for clients
    was ever made here: that the last of them ended opens nothing.
    """
    store, oauth = TokenStore(settings.tokens_db), settings.oauth
    if oauth is None and not settings.require_tokens and not store.for_clients():
        return None

    base = public_url(settings)
    auth = AuthSettings(
        # Texts, not URLs: the issuer counts to the letter, and a URL would get a slash at its end.
        issuer_url=base if oauth is None else oauth.issuer,
        resource_server_url=None if oauth is None else base + MCP_PATH,
        validate_token_resource=False,  # the verifier checks the audience, which need not be a URL
    )
    issuer = None if oauth is None else JwksVerifier(oauth.issuer, oauth.audience, oauth.jwks_url)
    return Access(BearerVerifier(is_local, partial(local_token, store), issuer), auth)


def local_token(store: TokenStore, text: str) -> AccessToken | None:
    """What a locally issued token says of its holder; None for one that is not valid."""
    token = store.verify(text)
    if token is None:
        return None
    return AccessToken(
        token=text,
        client_id=token.token_id,
        scopes=sorted(token.scopes),
        expires_at=int(token.expires_at_s),
        subject=token.subject,
    )


def web_server(plant: EmbeddedPlant, settings: Settings) -> uvicorn.Server:
    """The web server of an open plant; without tokens on loopback, for the local user alone.

    Raises:
        ServeError: when the settings name another host than this machine, and there are no tokens.
    """
    workplace = plant.workplace
    server = _mcp_server(workplace, settings)
    routes = observability_routes(workplace, plant.metrics)
    web = http_server(server, settings.http_host, settings.http_port, routes, public_url=settings.http_url)
    add_console(web, workplace, settings, public_url(settings))
    return web


def _mcp_server(workplace: Workplace, settings: Settings) -> MCPServer[None]:
    access = access_of(settings)
    if access is None:
        return workplace.server_for(local_principal(this_user()), offer_of(settings))
    url = urlsplit(public_url(settings))
    if url.scheme != "https" and not is_loopback(url.hostname or ""):
        logger.warning("tokens cross the network unencrypted: put TLS in front, and its address in http_url")
    return workplace.server_behind(access, offer_of(settings))


async def run_with_plant(plant: EmbeddedPlant, server: uvicorn.Server, on_ready: Callable[[], None]) -> None:
    """Serve while the plant runs; either's end ends both.

    Args:
        plant: open.
        server: not yet started.
        on_ready: told when the server answers.
    """
    async with anyio.create_task_group() as tasks:

        async def run_plant() -> None:
            try:
                await plant.run()
            finally:
                server.should_exit = True

        async def watch_start() -> None:
            while not server.started:
                await anyio.sleep(START_POLL_S)
            on_ready()

        tasks.start_soon(run_plant)
        tasks.start_soon(watch_start)
        with anyio.CancelScope(shield=True):  # told to exit by the plant's end, it closes its connections
            await server.serve()
        tasks.cancel_scope.cancel()
