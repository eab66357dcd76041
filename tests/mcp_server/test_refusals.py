import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from tests.mcp_server.calling import WISH, answer, refusal, text_of
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import SmallGrid

pytestmark = pytest.mark.anyio
in_both_eras = pytest.mark.parametrize("mode", MODES)

SPAN = {"start": "2024-05-04T00:00:00Z", "end": "2024-05-04T01:00:00Z"}

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("discharge_battery", WISH | {"power_kw": -5}, "power_kw=-5: Input should be greater than or equal to 0"),
    ("discharge_battery", WISH | {"power_kw": None}, "power_kw=None: Input should be a valid number"),
    ("charge_battery", WISH | {"power_kw": "much"}, "power_kw='much': Input should be a valid number"),
    (
        "charge_battery",
        WISH | {"power_kw": True},
        "power_kw=True: Value error, true and false are no numbers",
    ),
    ("dispatch_peaker", WISH | {"power_kw": 10**400}, "power_kw=1000"),
    (
        "dispatch_peaker",
        WISH | {"duration_min": 0},
        "duration_min=0: Input should be greater than or equal to 0.05",
    ),
    ("dispatch_peaker", WISH | {"reason": ["a"]}, "reason=['a']: Input should be a valid string"),
    (
        "discharge_battery",
        {"power_kw": 5.0},
        "duration_min: is required; give it; reason: is required; give it",
    ),
    (
        "discharge_battery",
        WISH | {"asset": "peaker"},
        "asset: no such argument; remove it or correct its name",
    ),
    (
        "discharge_battery",
        WISH | {"lower_kw": 9.0, "upper_kw": 1.0},
        "lower_kw=9.0 is above upper_kw=1.0; swap",
    ),
    ("get_grid_status", {"verbose": True}, "verbose: no such argument"),
    ("forecast_net_load", {"site": "b"}, "site='b' is not known; use one of: area, area-native"),
    (
        "forecast_net_load",
        {"outlook_hours": 48},
        "outlook_hours=48: Input should be less than or equal to 36",
    ),
    ("quote_prices", {"site": "b"}, "site='b' is not known; use one of: area, area-native"),
    ("check_telemetry", {"site": ""}, "site='': String should have at least 1 character"),
    ("lookup_regulation", {"question": "why", "top": 11}, "top=11: Input should be less than or equal to 10"),
    (
        "lookup_regulation",
        {"question": "why", "rephrasings": ["how so"] * 5},
        "List should have at most 4 items",
    ),
    (
        "check_compliance",
        {"action": {"asset": "peaker", "power_kw": -1}},
        "a peaker never absorbs; give 0 or more",
    ),
    (
        "check_compliance",
        {"action": {"asset": "wind", "power_kw": 1}},
        "action.asset='wind': Input should be",
    ),
    ("check_compliance", {}, "action: is required; give it"),
    ("query_history", SPAN | {"start": "2024"}, "start='2024': Value error, give ISO-8601 with an offset"),
    ("query_history", SPAN | {"start": "2024-05-04T00:00:00"}, "Input should have timezone info"),
    ("query_history", SPAN | {"end": SPAN["start"]}, "give a later end"),
    ("query_history", SPAN | {"resolution": "2min"}, "resolution='2min': Input should be 'raw', '1min'"),
    ("query_history", SPAN | {"site": "x" * 5000}, "site='xxx"),
]


@in_both_eras
@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
async def test_a_wrong_argument_is_named_with_value_and_fix_and_changes_nothing(
    quiet_plant: SmallGrid, mode: str, name: str, arguments: dict[str, Any], words: str
) -> None:
    before = quiet_plant.written()
    async with Client(quiet_plant.server(), mode=mode) as client:
        text = await refusal(client, name, **arguments)
    assert words in text
    assert len(text) < 500
    assert quiet_plant.written() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("discharge_battery", "power_kw"),
        ("charge_battery", "lower_kw"),
        ("dispatch_peaker", "expected_cost_usd"),
        ("quote_prices", "hours_ahead"),
        ("forecast_net_load", "outlook_hours"),
    ],
)
async def test_a_number_that_is_not_finite_is_refused_and_changes_nothing(
    quiet_plant: SmallGrid, name: str, field: str, value: float
) -> None:
    # Asked of the server itself: the SDK's client turns such numbers into null, and JSON has none.
    before = quiet_plant.written()
    given = WISH if name.endswith(("battery", "peaker")) else {}
    result = await quiet_plant.server().call_tool(name, given | {field: value})
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert f"{name}: {field}={value}: Input should be " in text_of(result)
    assert quiet_plant.written() == before


@in_both_eras
async def test_a_stale_forecast_is_refused_and_the_status_shows_how_old(plant: SmallGrid, mode: str) -> None:
    plant.clock.advance_to(plant.newest().ts_utc + timedelta(seconds=1000))
    async with Client(plant.server(), mode=mode) as client:
        text = await refusal(client, "forecast_net_load")
        status = await answer(client, "get_grid_status")
    assert "stale: issued at" in text
    assert "1000 s old, allowed 900 s; see get_grid_status before acting" in text
    for site in status["sites"]:
        assert (site["stale"], site["age_s"], site["Predicted_30min_Change"]) == (True, 1000.0, None)


@in_both_eras
async def test_before_anything_was_measured_reading_works_and_missing_stays_null(
    tmp_path: Path, mode: str
) -> None:
    grid = SmallGrid(tmp_path / "empty")
    async with Client(grid.server(), mode=mode) as client:
        text = await refusal(client, "forecast_net_load")
        status = await answer(client, "get_grid_status")
        prices = await answer(client, "quote_prices")
        asked = await answer(client, "discharge_battery", **WISH)
    grid.close()
    assert "has no forecast yet; wait for a few pulses" in text
    assert status["sites"][0]["Net_Load_kW"] is None
    assert status["battery"]["soc_kwh"] is None
    assert prices["real_time_price_per_mwh"] is None
    assert (asked["status"], asked["power_kw"]) == ("denied", None)


@pytest.mark.parametrize(("file", "table"), [("telemetry.db", "telemetry"), ("ledger.db", "asset_readings")])
async def test_a_broken_database_is_named_with_what_to_look_for(
    plant: SmallGrid, tmp_path: Path, file: str, table: str
) -> None:
    (path,) = tmp_path.rglob(file)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"DROP TABLE {table}")
    async with Client(plant.server()) as client:
        assert f"{file}: cannot be read (no such table: {table})" in await refusal(client, "get_grid_status")
