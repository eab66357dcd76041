"""The roles as processes, spoken to by the MCP SDK's own client over stdio and HTTP."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from smartgrid import probe
from tests.smartgrid import roles

ENOUGH_CALLS = 20_000
"""A state that has not come after so many questions does not come."""


@pytest.fixture
def state(trained: Path, tmp_path: Path) -> Path:
    """A state directory that holds a model already."""
    made = tmp_path / "state"
    shutil.copytree(trained, made / "model")
    return made


def over_stdio(state: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=roles.command(), args=["mcp", "--state", str(state)], env=roles.environment()
    )


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    answer = result.structured_content
    assert isinstance(answer, dict)
    return answer


async def status_when(client: Client, holds: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    for _ in range(ENOUGH_CALLS):
        status = await call(client, "get_grid_status")
        if holds(status):
            return status
    raise AssertionError(f"never came to be; the last status: {status}")


def site(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(entry for entry in status["sites"] if entry["site"] == name)
    return found


async def tour(client: Client) -> None:
    """List the tools, read the forecast, discharge the battery, see it in the next telemetry."""
    listed = await client.list_tools()
    assert {tool.name for tool in listed.tools} >= {"forecast_net_load", "discharge_battery"}
    forecast = await call(client, "forecast_net_load")
    assert forecast["p10_change_kw"] <= forecast["p50_change_kw"] <= forecast["p90_change_kw"]
    answer = await call(
        client, "discharge_battery", power_kw=1200.0, duration_min=30, reason="a tour of the tools"
    )
    assert answer["status"] == "accepted"
    assert answer["power_kw"] == 1200.0
    status = await status_when(client, lambda now: now["battery"]["power_kw"] == 1200.0)
    metered, native = site(status, "area"), site(status, "area-native")
    assert metered["ts_utc"] == native["ts_utc"]
    assert native["Net_Load_kW"] - metered["Net_Load_kW"] == pytest.approx(1200.0)
    assert not metered["stale"]


def test_a_client_over_stdio_discharges_and_a_second_server_joins_the_first(state: Path) -> None:
    async def main() -> None:
        async with Client(over_stdio(state)) as first:
            await tour(first)
            async with Client(over_stdio(state), mode="legacy") as second:
                seen = await status_when(second, lambda now: not site(now, "area")["stale"])
                assert seen["battery"]["power_kw"] == 1200.0
                idle = await call(
                    second, "discharge_battery", power_kw=0.0, duration_min=30, reason="enough of it"
                )
                assert idle["status"] == "accepted"
                await status_when(first, lambda now: now["battery"]["power_kw"] == 0.0)

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_over_http_discharges_and_sees_it_in_the_next_telemetry(mode: Any, state: Path) -> None:
    async def main() -> None:
        with roles.up(state, "--loops", "none") as (address, _):
            async with Client(address, mode=mode) as client:
                await tour(client)
            page = address.replace("/mcp", "/console")
            assert httpx.get(f"{page}/").status_code == 401
            assert httpx.get(f"{page}/login").status_code == 200

    asyncio.run(main())


def test_a_peaker_start_waits_for_the_operator_and_then_shows_in_the_telemetry(state: Path) -> None:
    asked = {"power_kw": 3000.0, "duration_min": 60.0, "reason": "evening peak"}

    async def main() -> None:
        with roles.up(state, "--loops", "none") as (address, _):
            async with Client(address) as client:
                pending = await call(client, "dispatch_peaker", **asked)
                assert pending["status"] == "pending_approval"
                listed = roles.run("approvals", "list", "--state", str(state), "--json")
                assert [entry["approval_id"] for entry in json.loads(listed.stdout)] == [
                    pending["approval_id"]
                ]
                decided = roles.run(
                    "approvals",
                    "approve",
                    pending["approval_id"],
                    "--reason",
                    "agreed",
                    "--state",
                    str(state),
                )
                assert decided.returncode == 0, decided.stderr
                accepted = await call(client, "dispatch_peaker", **asked)
                assert accepted["status"] == "accepted"
                status = await status_when(client, lambda now: now["peaker"]["power_kw"] == 3000.0)
                shown = site(status, "area-native")["Net_Load_kW"] - site(status, "area")["Net_Load_kW"]
                assert shown == pytest.approx(3000.0)
                again = await call(client, "dispatch_peaker", **asked)
                assert again["proposal_id"] != accepted["proposal_id"]
        verified = roles.run("audit", "verify", "--state", str(state), "--json")
        assert json.loads(verified.stdout)["ok"] is True

    asyncio.run(main())


def test_the_supervisor_runs_beside_the_owner_and_a_second_one_takes_over_when_it_ends(state: Path) -> None:
    with roles.up(state, "--loops", "none"), roles.supervise(state) as supervisor:
        supervisor.say("supervises")
        with roles.supervise(state) as second:
            second.say("stands by: process")
            supervisor.say("response: ")
            roles.run("halt", "--reason", "drill", "--state", str(state))
            supervisor.say("blocked the autonomy is halted")
            supervisor.process.send_signal(signal.SIGTERM)
            assert supervisor.process.wait(timeout=30) == 0
            second.say("supervises")
            second.say("blocked the autonomy is halted")


def test_whoever_may_ask_no_token_finds_the_owners_probes_at_a_port_of_their_own(state: Path) -> None:
    port = str(roles.free_port())
    env = roles.environment(SMARTGRID_METRICS_PORT=port, SMARTGRID_REQUIRE_TOKENS="true")
    with roles.up(state, "--loops", "none", env=env):
        assert [probe.problem(port, question) for question in ("healthz", "readyz", "metrics")] == [None] * 3


def test_a_second_owner_is_refused_with_what_to_do(state: Path) -> None:
    with roles.up(state, "--loops", "none"):
        second = roles.run("up", "--state", str(state), "--port", str(roles.free_port()))
    assert second.returncode == 1
    assert "has the plant" in second.stderr
    assert "Traceback" not in second.stderr


def test_telemetry_grows_stale_for_those_who_joined_when_the_owner_is_killed(state: Path) -> None:
    async def main() -> None:
        with roles.up(state, "--loops", "none") as (_, pid):
            async with Client(over_stdio(state)) as joined:
                await status_when(joined, lambda now: not site(now, "area")["stale"])
                os.kill(pid, signal.SIGKILL)
                status = await status_when(joined, lambda now: site(now, "area")["stale"])
                assert site(status, "area")["Predicted_30min_Change"] is None
                refused = await joined.call_tool("forecast_net_load", {})
                assert refused.is_error
                asked = await call(
                    joined, "discharge_battery", power_kw=500.0, duration_min=15, reason="is anybody there"
                )
                assert asked["status"] == "pending_approval"
                assert "stale_telemetry" in {finding["rule"] for finding in asked["findings"]}

    asyncio.run(main())


@pytest.mark.parametrize(
    "arguments",
    [
        ["approvals", "list"],
        ["audit", "verify"],
        ["supervise"],
        ["halt", "--reason", "a test"],
    ],
)
def test_a_role_without_a_plant_says_what_to_start(arguments: list[str], tmp_path: Path) -> None:
    refused = roles.run(*arguments, "--state", str(tmp_path / "nowhere"))
    assert refused.returncode == 1
    assert "smartgrid up" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("role", ["up", "serve", "mcp"])
def test_a_role_that_serves_tools_refuses_one_that_is_not_installed_and_names_those_that_are(
    role: str, tmp_path: Path
) -> None:
    done = roles.run(role, "--tools", "start_the_war", "--read-only", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "start_the_war" in done.stderr
    assert "get_grid_status" in done.stderr
