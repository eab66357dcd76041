"""Over HTTP the token of each request decides who reads, watches and completes."""

from collections.abc import Iterator

import pytest
from mcp import Client
from mcp.server.auth.settings import AuthSettings
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference

from mcp_server.identity import Access, BearerVerifier
from mcp_server.jwks import JwksVerifier
from policies.principal import SCOPE_DISPATCH, SCOPE_READ
from tests.mcp_server.conftest import MODES
from tests.mcp_server.issuer import AUDIENCE, ISSUER, Issuer, issuing
from tests.mcp_server.served import client_with, served
from tests.tools.small_grid import SmallGrid

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("mode", MODES),
    pytest.mark.filterwarnings("ignore:resources/subscribe is removed"),
]

RAMP = PromptReference(name="prepare_evening_ramp")
NEEDS = "needs the scope grid:read; this connection"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def access(issuer: Issuer) -> Access:
    verifier = JwksVerifier(ISSUER, AUDIENCE, issuer.jwks_url)
    auth = AuthSettings(issuer_url=ISSUER, resource_server_url=None)
    return Access(BearerVerifier(lambda _: False, lambda _: None, verifier), auth)


async def test_a_token_to_read_reads_watches_and_completes(
    plant: SmallGrid, issuer: Issuer, mode: str
) -> None:
    server = plant.workplace.server_behind(access(issuer))
    text = issuer.token("ec", scope=SCOPE_READ, sub="person")
    async with served(server) as url, client_with(url, text, mode) as client:
        assert (await client.read_resource("grid://sites/area/telemetry")).contents
        assert (await client.complete(RAMP, {"name": "site", "value": ""})).completion.values
        assert (await client.get_prompt("prepare_evening_ramp", {"site": "area"})).messages
        if mode == "legacy":
            await client.subscribe_resource("grid://status")
            assert server.bus.is_watched
            await server.watcher.look()  # as nobody in particular: there is no token to look with
            return
        async with client.listen(resource_subscriptions=["grid://status"]) as events:
            await server.watcher.look()
            async for event in events:
                assert event.uri == "grid://status"  # type: ignore[union-attr]
                break


async def test_a_token_to_dispatch_does_none_of_it(quiet_plant: SmallGrid, issuer: Issuer, mode: str) -> None:
    server = quiet_plant.workplace.server_behind(access(issuer))
    text = issuer.token("ec", scope=SCOPE_DISPATCH, sub="person")
    async with served(server) as url, client_with(url, text, mode) as client:
        assert (await client.list_resources()).resources == []
        with pytest.raises(MCPError, match=NEEDS):
            await client.read_resource("grid://status")
        with pytest.raises(MCPError, match=NEEDS):
            await client.complete(RAMP, {"name": "site", "value": ""})
        with pytest.raises(MCPError, match=NEEDS):
            await watch(client, mode)
        assert not server.bus.is_watched


async def watch(client: Client, mode: str) -> None:
    if mode == "legacy":
        await client.subscribe_resource("grid://status")
        return
    async with client.listen(resource_subscriptions=["grid://status"]):
        pytest.fail("it listens")
