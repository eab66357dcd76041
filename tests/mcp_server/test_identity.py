"""Tokens over real HTTP: who is let in, who acts, and what a server beyond this machine serves."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.auth.settings import AuthSettings
from mcp.shared.exceptions import MCPError
from sqlalchemy import select
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dispatch.schema import proposals
from mcp_server.identity import Access, BearerVerifier, caller
from mcp_server.jwks import JwksVerifier
from mcp_server.transports import MCP_PATH, http_app
from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ
from smartgrid.serving import local_token
from smartgrid.tokens import DAY_S, TokenStore, is_local
from tests.mcp_server.calling import WISH, answer, refusal
from tests.mcp_server.conftest import MODES
from tests.mcp_server.issuer import AUDIENCE, ISSUER, Issuer, issuing
from tests.mcp_server.served import HEADERS, HOST, INITIALIZE, bearer, client_with, served
from tests.tools.small_grid import SmallGrid
from tools.errors import ToolScopeError

BEYOND = "192.168.1.7"
PUBLIC = "https://grid.example"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


@pytest.fixture
def tokens(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    return TokenStore(tmp_path_factory.mktemp("tokens") / "tokens.db")


@pytest.fixture
def access(tokens: TokenStore, issuer: Issuer) -> Access:
    verifier = BearerVerifier(
        is_local, lambda text: local_token(tokens, text), JwksVerifier(ISSUER, AUDIENCE, issuer.jwks_url)
    )
    auth = AuthSettings(
        issuer_url=ISSUER, resource_server_url=f"{PUBLIC}{MCP_PATH}", validate_token_resource=False
    )
    return Access(verifier, auth)


def behind(plant: SmallGrid, access: Access) -> MCPServer[None]:
    return plant.workplace.server_behind(access)


def requesters(plant: SmallGrid) -> list[tuple[str, int]]:
    with plant.ledger.reading() as connection:
        found = connection.execute(select(proposals.c.requester, proposals.c.priority))
        return [(row.requester, row.priority) for row in found]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_whoever_holds_the_token_acts_and_the_server_forgets_them_between_requests(
    plant: SmallGrid, access: Access, tokens: TokenStore, issuer: Issuer, mode: str
) -> None:
    _, ana = tokens.create("ana", [SCOPE_READ, SCOPE_DISPATCH], DAY_S)
    bob = issuer.token(sub="bob", scope=f"{SCOPE_READ} {SCOPE_DISPATCH}")
    async with (
        served(behind(plant, access)) as url,
        client_with(url, ana, mode) as first,
        client_with(url, bob, mode) as second,
    ):
        await asyncio.gather(
            answer(first, "discharge_battery", **WISH), answer(second, "charge_battery", **WISH)
        )
        await answer(second, "charge_battery", **WISH | {"power_kw": 30.0})
        await answer(first, "discharge_battery", **WISH | {"power_kw": 30.0})
        text = await refusal(first, "charge_battery", **WISH, principal="operator:ana")
        assert "principal: no such argument" in text
    asked = requesters(plant)
    assert sorted(asked[:2]) == [("local:ana", 30), ("oauth:bob", 30)]
    assert asked[2:] == [("oauth:bob", 30), ("local:ana", 30)]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_a_token_revoked_during_a_connection_is_refused_at_its_next_request(
    quiet_plant: SmallGrid, access: Access, tokens: TokenStore, mode: str
) -> None:
    made, text = tokens.create("ana", [SCOPE_READ], DAY_S)
    async with served(behind(quiet_plant, access)) as url:
        async with client_with(url, text, mode) as client:
            await answer(client, "get_grid_status")
            tokens.revoke(made.token_id)
            with pytest.raises(MCPError, match="returned an error"):  # the SDK's words for 401
                await client.call_tool("get_grid_status", {})
        async with httpx2.AsyncClient(headers=HEADERS | bearer(text)) as http:
            assert (await http.post(url, json=INITIALIZE)).status_code == 401


@pytest.mark.anyio
async def test_a_session_serves_only_the_token_that_opened_it(
    quiet_plant: SmallGrid, access: Access, tokens: TokenStore
) -> None:
    texts = [
        tokens.create("ana", scopes, DAY_S)[1] for scopes in ([SCOPE_READ], [SCOPE_READ, SCOPE_DISPATCH])
    ]
    async with served(behind(quiet_plant, access)) as url, httpx2.AsyncClient(headers=HEADERS) as http:
        opened = await http.post(url, json=INITIALIZE, headers=bearer(texts[0]))
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        own = await http.post(url, json=ping, headers=session | bearer(texts[0]))
        others = await http.post(url, json=ping, headers=session | bearer(texts[1]))
    assert (opened.status_code, own.status_code, others.status_code) == (200, 200, 404)


def refused_texts(issuer: Issuer, tokens: TokenStore) -> dict[str, dict[str, str]]:
    """Headers that must not be let in."""
    made, revoked = tokens.create("eve", [SCOPE_READ], DAY_S)
    tokens.revoke(made.token_id)
    _, good = tokens.create("ana", [SCOPE_READ], DAY_S)
    old = TokenStore(tokens._path, lambda: 1.0e9).create("old", [SCOPE_READ], DAY_S)[1]
    return {
        "missing": {},
        "empty": {"authorization": "Bearer "},
        "another scheme": {"authorization": f"Basic {good}"},
        "expired": bearer(old),
        "revoked": bearer(revoked),
        "tampered": bearer(good[:-1] + ("A" if good[-1] != "A" else "B")),
        "cut": bearer(good[:-1]),
        "prefix alone": bearer("sgt_"),
        "OAuth expired": bearer(issuer.token(exp=1_000_000_000)),
        "OAuth audience": bearer(issuer.token(aud="https://other.example")),
        "OAuth issuer": bearer(issuer.token(iss="https://other.example")),
        "OAuth tampered": bearer(issuer.token()[:-9] + "AAAAAAAAA"),
        "OAuth unsigned": bearer(issuer.token().rpartition(".")[0] + "."),
        "OAuth key": bearer(issuer.token("unpublished")),
    }


@pytest.mark.parametrize("version", [None, "2026-07-28"])
def test_no_other_token_is_let_in_and_the_answer_says_where_to_get_one(
    quiet_plant: SmallGrid, access: Access, tokens: TokenStore, issuer: Issuer, version: str | None
) -> None:
    protocol = {} if version is None else {"mcp-protocol-version": version}
    app = http_app(behind(quiet_plant, access), HOST)
    with TestClient(app, base_url=f"http://{HOST}:8765") as browser:
        for what, headers in refused_texts(issuer, tokens).items():
            for method in ("POST", "GET", "DELETE"):
                answered = browser.request(
                    method, MCP_PATH, json=INITIALIZE, headers=HEADERS | protocol | headers
                )
                assert answered.status_code == 401, (what, method, answered.text)
            told = answered.headers["www-authenticate"]
            assert 'error="invalid_token"' in told
            assert f"{PUBLIC}/.well-known/oauth-protected-resource/mcp" in told
        described = browser.get("/.well-known/oauth-protected-resource/mcp").json()
    assert described["authorization_servers"] == [ISSUER]
    assert described["resource"] == f"{PUBLIC}{MCP_PATH}"
    assert described["scopes_supported"] == [SCOPE_READ, SCOPE_DISPATCH]


@pytest.mark.anyio
async def test_a_request_without_a_verified_token_has_no_principal(
    quiet_plant: SmallGrid, access: Access
) -> None:
    with pytest.raises(ToolScopeError, match="no verified token"):
        caller()
    # Nor has a server that asks for tokens, reached past HTTP:
    async with Client(behind(quiet_plant, access)) as client:
        assert "no verified token" in await refusal(client, "get_grid_status")


def test_while_the_tokens_cannot_be_read_nobody_is_let_in(
    quiet_plant: SmallGrid, access: Access, tokens: TokenStore
) -> None:
    _, text = tokens.create("ana", [SCOPE_READ], DAY_S)
    tokens._path.write_bytes(b"not a database, " * 100)
    app = http_app(behind(quiet_plant, access), HOST)
    with TestClient(app, base_url=f"http://{HOST}:8765", raise_server_exceptions=False) as browser:
        assert browser.post(MCP_PATH, json=INITIALIZE, headers=HEADERS | bearer(text)).status_code == 500


async def page(request: object) -> PlainTextResponse:
    return PlainTextResponse("the console")


@pytest.mark.parametrize("host", [BEYOND, HOST], ids=["itself", "by a proxy"])
def test_beyond_this_machine_every_page_asks_for_a_token_that_may_read(
    quiet_plant: SmallGrid, access: Access, tokens: TokenStore, host: str
) -> None:
    reader = bearer(tokens.create("ana", [SCOPE_READ], DAY_S)[1])
    operator = bearer(tokens.create("ana", [SCOPE_APPROVE], DAY_S)[1])
    app = http_app(behind(quiet_plant, access), host, [Route("/console", page)], public_url=PUBLIC)
    with TestClient(app, base_url=f"http://{host}:8765") as browser:
        for disguise in ({}, {"host": "localhost"}):
            assert browser.get("/console", headers=disguise).status_code == 401
            assert browser.get("/elsewhere", headers=disguise).status_code == 401
            assert browser.get("/console", headers=disguise | operator).status_code == 403
            assert browser.get("/console", headers=disguise | reader).text == "the console"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "grid.example"}, 200),
        ({"host": "grid.example", "origin": PUBLIC}, 200),
        ({"host": "grid.example", "origin": "http://grid.example"}, 403),
        ({"host": "grid.example", "origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 421),
        ({"host": "grid.example.evil.example"}, 421),
    ],
)
def test_beyond_this_machine_only_its_own_names_are_answered(
    quiet_plant: SmallGrid, access: Access, tokens: TokenStore, headers: dict[str, str], status: int
) -> None:
    _, text = tokens.create("ana", [SCOPE_READ], DAY_S)
    app = http_app(behind(quiet_plant, access), BEYOND, public_url=PUBLIC)
    with TestClient(app, base_url=f"http://{BEYOND}:8765") as browser:
        answered = browser.post(MCP_PATH, json=INITIALIZE, headers=HEADERS | bearer(text) | headers)
    assert answered.status_code == status


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_an_operators_token_decides_nothing_through_the_tools(
    plant: SmallGrid, access: Access, tokens: TokenStore, issuer: Issuer, mode: str
) -> None:
    everything = issuer.token(sub="eve", scope=" ".join([SCOPE_READ, SCOPE_DISPATCH, SCOPE_APPROVE]))
    _, operator = tokens.create("ben", [SCOPE_READ, SCOPE_APPROVE], DAY_S)
    async with served(behind(plant, access)) as url:
        async with client_with(url, everything, mode) as client:
            first: dict[str, Any] = await answer(client, "dispatch_peaker", **WISH)
            again = await answer(client, "dispatch_peaker", **WISH)
        async with client_with(url, operator, mode) as client:
            assert "needs the scope grid:dispatch" in await refusal(client, "dispatch_peaker", **WISH)
            listed = {tool.name for tool in (await client.list_tools()).tools}
    assert first["status"] == again["status"] == "pending_approval"
    assert not [name for name in listed if "approve" in name or "dispatch" in name]
    assert [asked.state for asked in plant.approvals.list()] == ["PENDING"]
    assert requesters(plant) == []
