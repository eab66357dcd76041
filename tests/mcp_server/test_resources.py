import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, TextResourceContents

from policies.principal import SCOPE_DISPATCH, Principal
from tests.mcp_server.calling import WISH, answer
from tests.mcp_server.conftest import MODES
from tests.mcp_server.served import served
from tests.tools.small_grid import SmallGrid

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources/subscribe is removed")]
in_both_eras = pytest.mark.parametrize("mode", MODES)

ADDRESSES = [
    "grid://sites/{site}/telemetry",
    "grid://sites/{site}/forecast",
    "grid://assets/{asset}",
    "grid://dispatches/{id}",
]
BLIND = Principal("local:eve", frozenset({SCOPE_DISPATCH}), 30)


async def read(client: Client, uri: str) -> Any:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    assert ": " not in content.text.replace('": "', "")[:40]  # no spaces between names and values
    return json.loads(content.text, parse_constant=pytest.fail)


async def unread(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as refused:
        await client.read_resource(uri)
    assert "Traceback" not in str(refused.value)
    return refused.value


@in_both_eras
async def test_the_status_and_the_assets_are_what_the_status_tool_says(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        status = await answer(client, "get_grid_status")
        assert await read(client, "grid://status") == status
        battery = await read(client, "grid://assets/battery")
        peaker = await read(client, "grid://assets/peaker")
    assert battery == {"asset": "battery", "now": status["now"]} | status["battery"]
    assert peaker == {"asset": "peaker", "now": status["now"]} | status["peaker"]


@in_both_eras
async def test_telemetry_is_the_newest_pulses_of_the_site(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        found = await read(client, "grid://sites/area/telemetry")
    newest = quiet_plant.newest("area")
    assert (found["site"], found["currency"], found["stale"]) == ("area", "EUR", False)
    assert found["columns"][:2] == ["ts_utc", "load_kw"]
    assert len(found["rows"]) == min(50, len(quiet_plant.store.latest("area", 50)))
    last = dict(zip(found["columns"], found["rows"][-1], strict=True))
    assert last["net_load_kw"] == newest.net_load_kw
    assert last["price_per_mwh"] == newest.price_usd_per_mwh


@in_both_eras
async def test_the_forecast_is_what_the_forecast_tool_says(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        told = await answer(client, "forecast_net_load", site="area")
        assert await read(client, "grid://sites/area/forecast") == told


@in_both_eras
async def test_the_limits_are_those_of_the_plant(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        found = await read(client, "grid://limits")
    assert found["battery"]["power_kw"] == quiet_plant.limits.battery.power_kw
    assert found["approval_power_kw"] == quiet_plant.limits.approval_power_kw


@in_both_eras
async def test_a_dispatch_says_what_was_set_and_who_asked_why(plant: SmallGrid, mode: str) -> None:
    async with Client(plant.server(), mode=mode) as client:
        asked = await answer(client, "discharge_battery", **WISH)
        plant.advance()
        newest = next(iter(plant.workplace.dispatch_log.newest()))
        found = await read(client, f"grid://dispatches/{newest}")
    assert (found["dispatch_id"], found["state"]) == (newest, "APPLIED")
    assert found["setpoints"]["battery_kw"] == 20.0
    (proposal,) = found["proposals"]
    assert proposal["proposal_id"] == asked["proposal_id"]
    assert (proposal["requester"], proposal["reason"]) == ("local:ana", WISH["reason"])


@in_both_eras
async def test_they_are_listed_with_title_and_words(quiet_plant: SmallGrid, mode: str) -> None:
    async with Client(quiet_plant.server(), mode=mode) as client:
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
    assert [str(resource.uri) for resource in resources] == ["grid://status", "grid://limits"]
    assert [template.uri_template for template in templates] == ADDRESSES
    for resource in resources:
        assert (bool(resource.title), bool(resource.description)) == (True, True)
        assert resource.mime_type == "application/json"
    for template in templates:
        assert (bool(template.title), bool(template.description)) == (True, True)
        assert template.mime_type == "application/json"


UNKNOWN = [
    ("grid://sites/b/telemetry", "site='b' is not known; use one of: area, area-native"),
    ("grid://sites/b/forecast", "site='b' is not known; use one of: area, area-native"),
    ("grid://assets/windmill", "asset='windmill' is not known; use one of: battery, peaker"),
    ("grid://dispatches/999999", "dispatch_id='999999' does not exist; the newest are: "),
    ("grid://dispatches/x", "dispatch_id='x' does not exist; the newest are: "),
    ("grid://weather", "Unknown resource: grid://weather"),
]


@in_both_eras
@pytest.mark.parametrize(("uri", "words"), UNKNOWN)
async def test_an_unknown_address_names_those_that_are_known(
    acted_plant: SmallGrid, mode: str, uri: str, words: str
) -> None:
    async with Client(acted_plant.server(), mode=mode) as client:
        error = await unread(client, uri)
    assert error.error.code == INVALID_PARAMS
    assert words in error.error.message


@in_both_eras
async def test_a_stale_forecast_cannot_be_read(plant: SmallGrid, mode: str) -> None:
    plant.clock.advance_to(plant.newest().ts_utc + timedelta(seconds=1000))
    async with Client(plant.server(), mode=mode) as client:
        error = await unread(client, "grid://sites/area/forecast")
        telemetry = await read(client, "grid://sites/area/telemetry")
    assert error.error.code == INTERNAL_ERROR
    assert "1000 s old, allowed 900 s" in error.error.message
    assert (telemetry["stale"], telemetry["age_s"]) == (True, 1000.0)


@pytest.mark.parametrize(
    ("file", "table", "uri"),
    [
        ("telemetry.db", "telemetry", "grid://sites/area/telemetry"),
        ("ledger.db", "dispatches", "grid://dispatches/1"),
    ],
)
async def test_a_broken_database_is_named(
    plant: SmallGrid, tmp_path: Path, file: str, table: str, uri: str
) -> None:
    (path,) = tmp_path.rglob(file)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"DROP TABLE {table}")
    async with Client(plant.server()) as client:
        error = await unread(client, uri)
    assert error.error.code == INTERNAL_ERROR
    assert f"no such table: {table}" in error.error.message


@in_both_eras
async def test_without_the_read_scope_nothing_is_listed_read_watched_or_completed(
    quiet_plant: SmallGrid, mode: str
) -> None:
    async with Client(quiet_plant.server(BLIND), mode=mode) as client:
        assert (await client.list_resources()).resources == []
        assert (await client.list_resource_templates()).resource_templates == []
        assert (await client.list_prompts()).prompts == []
        for uri in ("grid://status", "grid://sites/area/telemetry"):
            error = await unread(client, uri)
            assert error.error.code == INVALID_REQUEST
            assert "needs the scope grid:read; this connection (local:eve) has: grid:dispatch" in str(error)
        with pytest.raises(MCPError, match="needs the scope grid:read"):
            await watch(client, mode)


async def watch(client: Client, mode: str) -> None:
    if mode == "legacy":
        await client.subscribe_resource("grid://status")
        return
    async with client.listen(resource_subscriptions=["grid://status"]):
        pytest.fail("it listens")


@in_both_eras
async def test_over_http_they_read_the_same(quiet_plant: SmallGrid, mode: str) -> None:
    async with served(quiet_plant.server()) as url, Client(url, mode=mode) as client:
        found = await read(client, "grid://sites/area/telemetry")
        assert (await unread(client, "grid://sites/b/telemetry")).error.code == INVALID_PARAMS
    assert found["site"] == "area"
