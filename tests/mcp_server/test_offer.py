"""What is offered: toolsets, single tools, read-only; in listing and calling, as option and as setting."""

from dataclasses import replace
from pathlib import Path

import pytest
from mcp import Client
from typer.testing import CliRunner

from mcp_server.errors import ServeError
from mcp_server.offer import Offer
from mcp_server.server import Sources, build_server
from policies.principal import SCOPE_DISPATCH
from smartgrid.cli import app
from smartgrid.offering import offer_of, require_installed
from smartgrid.settings import load_settings
from tests.mcp_server.calling import TOOLS, WISH, answer, refusal
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import ANA, SmallGrid
from tools.registry import discover_tools

INSTALLED = discover_tools().tools
ACTING = sorted(tool.name for tool in INSTALLED if tool.effect == "act")


def names(offer: Offer) -> list[str]:
    return [tool.name for tool in offer.chosen(INSTALLED)]


def test_without_a_choice_everything_is_offered() -> None:
    assert names(Offer()) == TOOLS


def test_toolsets_and_single_tools_add_up() -> None:
    market = sorted(tool.name for tool in INSTALLED if tool.toolset == "market")
    assert "quote_prices" in market
    assert names(Offer(toolsets=("market",))) == market
    assert names(Offer(tools=("get_grid_status",))) == ["get_grid_status"]
    assert names(Offer(toolsets=("market",), tools=("get_grid_status",))) == ["get_grid_status", *market]
    assert names(Offer(toolsets=())) == []


@pytest.mark.parametrize("chosen", [Offer(), Offer(toolsets=("dispatch",)), Offer(tools=("charge_battery",))])
def test_read_only_overrides_whatever_was_chosen(chosen: Offer) -> None:
    assert {"charge_battery", "discharge_battery", "dispatch_peaker"} <= set(ACTING)
    assert not set(names(chosen)).isdisjoint(ACTING)
    assert set(names(replace(chosen, read_only=True))).isdisjoint(ACTING)


def test_our_tools_come_in_four_sets_and_a_plugin_without_one_is_custom() -> None:
    assert {tool.toolset for tool in INSTALLED} >= {"grid", "market", "dispatch", "knowledge"}
    assert {tool.toolset for tool in INSTALLED if tool.scope == SCOPE_DISPATCH} >= {"dispatch"}


@pytest.mark.parametrize("option", ["toolsets", "tools"])
def test_a_name_that_is_not_there_is_an_error_that_lists_those_that_are(option: str) -> None:
    with pytest.raises(ServeError, match=rf"{option}='weather' is not known; use one of: ") as refused:
        replace(Offer(), **{option: ("weather",)}).chosen(INSTALLED)  # type: ignore[arg-type]
    for name in ("dispatch", "grid", "market") if option == "toolsets" else TOOLS:
        assert name in str(refused.value)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_what_is_not_offered_is_neither_listed_nor_called(quiet_plant: SmallGrid, mode: str) -> None:
    before = quiet_plant.written()
    server = quiet_plant.workplace.server_for(
        ANA, Offer(tools=("quote_prices", "charge_battery"), read_only=True)
    )
    async with Client(server, mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["quote_prices"]
        await answer(client, "quote_prices")
        for name in [name for name in TOOLS if name != "quote_prices"]:
            text = await refusal(client, name, **WISH)
            assert text == f"no tool '{name}' is offered here; offered: quote_prices"
    assert quiet_plant.written() == before


@pytest.mark.anyio
async def test_prompts_name_only_what_is_offered(quiet_plant: SmallGrid) -> None:
    server = quiet_plant.workplace.server_for(ANA, Offer(tools=("quote_prices",)))
    async with Client(server) as client:
        told = (await client.get_prompt("morning_briefing")).model_dump_json()
    assert "1. quote_prices" in told
    assert [name for name in TOOLS if name in told] == ["quote_prices"]


@pytest.mark.anyio
async def test_without_a_ledger_there_are_no_dispatches_to_read(quiet_plant: SmallGrid) -> None:
    server = build_server(INSTALLED, lambda: quiet_plant.workplace.context(ANA), sources=Sources())
    async with Client(server) as client:
        templates = (await client.list_resource_templates()).resource_templates
    assert all("dispatches" not in template.uri_template for template in templates)


def test_the_settings_choose_as_the_options_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "smartgrid.toml").write_text('toolsets = ["grid", "market"]\nread_only = true\n')
    from_file = offer_of(load_settings(state=tmp_path))
    assert (from_file.toolsets, from_file.tools, from_file.read_only) == (("grid", "market"), None, True)
    monkeypatch.setenv("SMARTGRID_TOOLSETS", "knowledge, dispatch")
    monkeypatch.setenv("SMARTGRID_TOOL_TIMEOUT_S", "7")
    from_variables = offer_of(load_settings(state=tmp_path))
    assert (from_variables.toolsets, from_variables.tool_timeout_s) == (("knowledge", "dispatch"), 7.0)
    given = load_settings(state=tmp_path, toolsets="grid", tools="quote_prices", read_only=False)
    assert offer_of(given).toolsets == ("grid",)
    assert offer_of(given).tools == ("quote_prices",)
    assert not offer_of(given).read_only
    require_installed(given)


@pytest.mark.parametrize("role", ["mcp", "up"])
@pytest.mark.parametrize("option", ["--toolsets", "--tools"])
def test_a_wrong_name_ends_the_role_before_it_brings_up_a_plant(
    tmp_path: Path, role: str, option: str
) -> None:
    state = tmp_path / "state"
    ended = CliRunner().invoke(app, [role, "--state", str(state), option, "weather"])
    assert isinstance(ended.exception, ServeError)
    assert "'weather' is not known; use one of: " in str(ended.exception)
    assert not (state / "ledger.db").exists()
