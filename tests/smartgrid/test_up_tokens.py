"""The first start of ``up``, and a server that asks for tokens, as processes."""

import asyncio
import shutil
import stat
from pathlib import Path

import httpx
from mcp import Client

from policies.principal import SCOPE_DISPATCH, SCOPE_READ
from smartgrid.tokens import DAY_S, TokenStore
from tests.mcp_server.served import HEADERS, INITIALIZE, bearer, client_with
from tests.smartgrid import roles


def test_up_makes_an_operator_token_and_asks_clients_for_theirs_once_one_was_made(
    trained: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    shutil.copytree(trained, state / "model")
    tokens = TokenStore(state / "tokens.db")
    path = state / "operator.token"

    async def names(client: Client) -> set[str]:
        return {tool.name for tool in (await client.list_tools()).tools}

    async def with_token(url: str, text: str) -> set[str]:
        async with client_with(url, text, "auto") as client:
            return await names(client)

    async def without(url: str) -> set[str]:
        async with Client(url) as client:
            return await names(client)

    with roles.up(state, "--loops", "none") as (url, _):
        assert "discharge_battery" in asyncio.run(without(url))
        first = path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        operator = tokens.verify(first.strip())
        assert operator is not None
        assert operator.subject.startswith("operator:")

    _, text = tokens.create("ana", [SCOPE_READ, SCOPE_DISPATCH], DAY_S)
    with roles.up(state, "--loops", "none") as (url, _):
        assert path.read_text() == first
        assert httpx.post(url, json=INITIALIZE, headers=HEADERS).status_code == 401
        assert "discharge_battery" in asyncio.run(with_token(url, text))
        seen = asyncio.run(with_token(url, first.strip()))
        assert "get_grid_status" in seen
        assert "discharge_battery" not in seen
        tokens.revoke("ana")
        answered = httpx.post(url, json=INITIALIZE, headers=HEADERS | bearer(text))
        assert answered.status_code == 401
