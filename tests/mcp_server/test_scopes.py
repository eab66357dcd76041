"""The scope matrix: every tool × every set of scopes × every transport; nothing forbidden succeeds."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import chain, combinations
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.server.auth.settings import AuthSettings

from mcp_server.identity import Access, BearerVerifier
from mcp_server.jwks import JwksVerifier
from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ, SCOPES, Principal
from tests.mcp_server.calling import WISH, text_of
from tests.mcp_server.conftest import MODES
from tests.mcp_server.issuer import AUDIENCE, ISSUER, Issuer, issuing
from tests.mcp_server.served import client_with, served
from tests.tools.small_grid import SmallGrid

EVERY_SET = [frozenset(held) for held in chain.from_iterable(combinations(SCOPES, size) for size in range(4))]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "charge_battery": WISH,
    "discharge_battery": WISH,
    "dispatch_peaker": WISH,
    "check_compliance": {"action": {"asset": "battery", "power_kw": 500, "emergency": "energy"}},
    "halt_autonomy": {"reason": "a drill"},
    "lookup_regulation": {"question": "BAL-003 R1"},
    "simulate_scenario": {"kind": "unit_trip", "size": 50.0, "duration_min": 5.0},
    "query_history": {"start": "2024-05-04T00:00:00Z", "end": "2024-05-05T00:00:00Z", "resolution": "raw"},
}
"""What a tool needs to answer; others need nothing. A refusal for its scope comes before any other."""
OVER_HTTP = [held for held in EVERY_SET if len(held) != 2]
"""None, each scope alone, and all."""
STDIO = [(frozenset({SCOPE_READ, SCOPE_APPROVE}), "auto"), (frozenset({SCOPE_DISPATCH}), "legacy")]
"""A process each: two sets in which every scope is once."""

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGrid]:
    """An area on which the allowed calls act."""
    made = SmallGrid(tmp_path_factory.mktemp("scopes")).start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def named(held: frozenset[str]) -> str:
    return "+".join(scope.removeprefix("grid:") for scope in SCOPES if scope in held) or "none"


async def try_every_tool(client: Client, plant: SmallGrid, held: frozenset[str], subject: str) -> None:
    """Each tool answers if its scope is held, else it is refused, unlisted, and nothing is written."""
    assert {tool.scope for tool in plant.tools.values()} == {SCOPE_READ, SCOPE_DISPATCH}
    listed = [tool.name for tool in (await client.list_tools()).tools]
    assert listed == [name for name, tool in plant.tools.items() if tool.scope in held]
    for name, tool in plant.tools.items():
        before = plant.written()
        result = await client.call_tool(name, ARGUMENTS.get(name, {}))
        refused = result.is_error and "needs the scope" in text_of(result)
        assert refused is (tool.scope not in held), (name, text_of(result))
        if refused:
            said = text_of(result)
            assert f"needs the scope {tool.scope}; this connection ({subject}) has:" in said
            assert result.structured_content is None
            assert plant.written() == before, name
    assert plant.approvals.list("APPROVED", "CONSUMED") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("held", EVERY_SET, ids=named)
async def test_in_memory_nothing_forbidden_succeeds(area: SmallGrid, held: frozenset[str], mode: str) -> None:
    principal = Principal("local:eve", held, 30)
    async with Client(area.server(principal), mode=mode) as client:
        await try_every_tool(client, area, held, "local:eve")


@pytest.mark.parametrize("mode", MODES)
async def test_over_http_nothing_forbidden_succeeds(area: SmallGrid, issuer: Issuer, mode: str) -> None:
    # One server for all sets: what a token may is decided at each request.
    access = Access(
        BearerVerifier(lambda _: False, lambda _: None, JwksVerifier(ISSUER, AUDIENCE, issuer.jwks_url)),
        AuthSettings(issuer_url=ISSUER, resource_server_url=None),
    )
    async with served(area.workplace.server_behind(access)) as url:
        for number, held in enumerate(OVER_HTTP):
            text = issuer.token("ec", scope=" ".join(held), sub=f"person-{number}")
            async with client_with(url, text, mode) as client:
                await try_every_tool(client, area, held, f"oauth:person-{number}")


@asynccontextmanager
async def over_stdio(state: str, held: frozenset[str], mode: str) -> AsyncIterator[Client]:
    script = f"{__file__.rpartition('/')[0]}/stdio_grid.py"
    parameters = StdioServerParameters(
        command=sys.executable, args=[script, state, *sorted(held)], env={"OMP_NUM_THREADS": "1"}
    )
    async with Client(parameters, mode=mode) as client:
        yield client


@pytest.mark.parametrize(("held", "mode"), STDIO, ids=[f"{named(held)}-{mode}" for held, mode in STDIO])
async def test_over_stdio_nothing_forbidden_succeeds(
    tmp_path_factory: pytest.TempPathFactory, held: frozenset[str], mode: str
) -> None:
    state = tmp_path_factory.mktemp("stdio")
    seen = SmallGrid(state)  # the same ledger, to see what was written
    try:
        async with over_stdio(str(state), held, mode) as client:
            await try_every_tool(client, seen, held, "local:eve")
    finally:
        seen.close()
