import pytest
from mcp import Client
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mcp_server.errors import ServeError
from mcp_server.transports import MCP_PATH, http_app, http_server, require_loopback
from tests.mcp_server.calling import WISH, answer, refusal, short_tour
from tests.mcp_server.conftest import MODES
from tests.mcp_server.served import HEADERS, HOST, INITIALIZE, served
from tests.tools.small_grid import READER, SmallGrid

ELSEWHERE = ["0.0.0.0", "::", "192.168.1.7", "grid.example", "", "localhost.example", "127.0.0.1.nip.io"]  # noqa: S104


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_over_http_a_client_takes_the_same_tour(plant: SmallGrid, mode: str) -> None:
    async with served(plant.server()) as url, Client(url, mode=mode) as client:
        await short_tour(client, plant)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_over_http_refusals_read_as_they_do_in_memory(quiet_plant: SmallGrid, mode: str) -> None:
    before = quiet_plant.written()
    async with served(quiet_plant.server(READER)) as url, Client(url, mode=mode) as client:
        assert "needs the scope grid:dispatch" in await refusal(client, "charge_battery", **WISH)
        assert "site='b' is not known" in await refusal(client, "check_telemetry", site="b")
        await answer(client, "get_grid_status")
    assert quiet_plant.written() == before


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_served(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_any_other_host_is_refused_with_its_name_and_the_fix(quiet_plant: SmallGrid, host: str) -> None:
    with pytest.raises(ServeError, match=rf"host='{host}': serving beyond this machine .*use 127\.0\.0\.1"):
        http_app(quiet_plant.server(), host)
    with pytest.raises(ServeError, match=f"host='{host}'"):
        http_server(quiet_plant.server(), host, 0)


def test_behind_a_proxy_for_others_it_wants_tokens_too(quiet_plant: SmallGrid) -> None:
    http_app(quiet_plant.server(), HOST, public_url="http://localhost:8765")
    with pytest.raises(ServeError, match=r"host='grid\.example'"):
        http_app(quiet_plant.server(), HOST, public_url="https://grid.example")


def test_other_pages_are_served_beside_the_tools(quiet_plant: SmallGrid) -> None:
    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("the console")

    app = http_app(quiet_plant.server(), HOST, [Route("/console", page)])
    with TestClient(app, base_url=f"http://{HOST}:8765") as browser:
        assert browser.get("/console").text == "the console"
        assert browser.post(MCP_PATH, json=INITIALIZE, headers=HEADERS).status_code == 200


@pytest.mark.parametrize(
    "foreign",
    [
        {"host": "grid.example"},
        {"host": "grid.example:8765"},
        {"host": f"{HOST}:8765", "origin": "https://grid.example"},
    ],
)
def test_a_page_of_another_host_cannot_call_through_the_browser(
    quiet_plant: SmallGrid, foreign: dict[str, str]
) -> None:
    with TestClient(http_app(quiet_plant.server(), HOST), base_url=f"http://{HOST}:8765") as browser:
        answered = browser.post(MCP_PATH, json=INITIALIZE, headers=HEADERS | foreign)
    assert answered.status_code in (403, 421)
