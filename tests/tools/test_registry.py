import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tools.get_grid_status import tool as grid_status
from tools.registry import ENTRY_POINT_GROUP, discover_tools

NAMES = {
    "charge_battery",
    "check_compliance",
    "check_telemetry",
    "discharge_battery",
    "dispatch_peaker",
    "forecast_net_load",
    "get_grid_status",
    "lookup_regulation",
    "query_history",
    "quote_prices",
}
OURS = EntryPoint("get_grid_status", "tools.get_grid_status:tool", ENTRY_POINT_GROUP)
PLUGIN = '''
from policies.principal import SCOPE_READ
from tools.contract import Tool, ToolInput, ToolOutput

class Ask(ToolInput):
    """Nothing."""

class Say(ToolOutput):
    """A word."""
    word: str

async def run(request, context):
    return Say(word="hello")

tool = Tool("{name}", "Hello", "Says hello.", "read", SCOPE_READ, Ask, Say, run)
'''


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, ENTRY_POINT_GROUP)


def install(site_packages: Path, package: str, module: str, source: str) -> None:
    """Lay a distribution with one tool down as an installer does."""
    site_packages.mkdir(exist_ok=True)
    (site_packages / f"{module}.py").write_text(source)
    info = site_packages / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nhello = {module}:tool\n")


def test_the_ten_tools_are_found_and_sorted() -> None:
    found = discover_tools()
    assert {tool.name for tool in found.tools} >= NAMES
    assert [tool.name for tool in found.tools] == sorted(tool.name for tool in found.tools)


def test_an_installed_package_adds_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "grid-greetings", "grid_greetings", PLUGIN.format(name="say_hello"))
    monkeypatch.syspath_prepend(tmp_path)
    found = discover_tools()
    assert {tool.name for tool in found.tools} >= NAMES | {"say_hello"}
    assert found.broken == ()


def test_no_package_can_take_one_of_our_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "aaa-first", "aaa_first", PLUGIN.format(name="get_grid_status"))
    monkeypatch.syspath_prepend(tmp_path)
    found = discover_tools()
    assert grid_status in found.tools
    (left_out,) = found.broken
    assert (left_out.name, left_out.package) == ("hello", "aaa-first")
    assert left_out.reason == "ToolDefinitionError: the name 'get_grid_status' is taken; rename the tool"


def test_a_plugin_that_fails_to_import_is_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = discover_tools([point("lost", "no_such_module_here:tool"), OURS])
    assert found.tools == (grid_status,)
    (left_out,) = found.broken
    assert (left_out.name, left_out.package) == ("lost", "")
    assert left_out.reason.startswith("ModuleNotFoundError: No module named 'no_such_module_here'")
    assert "tool plugin left out" in caplog.text


@pytest.mark.parametrize("failure", ["raise RuntimeError('no licence')", "raise SystemExit(3)", "1 / 0", "("])
def test_whatever_a_plugin_does_on_import_the_others_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    install(tmp_path, "bad-mood", "bad_mood", failure)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bad_mood", raising=False)
    found = discover_tools()
    assert {tool.name for tool in found.tools} >= NAMES
    assert [(plugin.name, plugin.package) for plugin in found.broken] == [("hello", "bad-mood")]


def test_what_is_no_tool_is_named_and_left_out() -> None:
    found = discover_tools([point("dump", "json:dumps"), point("nothing", "json:no_such_name"), OURS])
    assert found.tools == (grid_status,)
    assert [plugin.name for plugin in found.broken] == ["dump", "nothing"]
    assert "json:dumps is a function; it must be a tools.contract.Tool" in found.broken[0].reason
    assert "AttributeError" in found.broken[1].reason


def test_of_two_plugins_with_one_name_the_second_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("twice_the_same")
    module.tool = grid_status
    monkeypatch.setitem(sys.modules, "twice_the_same", module)
    found = discover_tools([point("b_second", "twice_the_same:tool"), point("a_first", OURS.value)])
    assert found.tools == (grid_status,)
    assert [plugin.name for plugin in found.broken] == ["b_second"]
    assert "the name 'get_grid_status' is taken; rename the tool" in found.broken[0].reason


def test_a_package_with_damaged_metadata_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "nameless", "nameless_tool", PLUGIN.format(name="say_hello"))
    (tmp_path / "nameless-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\n")
    install(tmp_path, "grid-goodbyes", "grid_goodbyes", PLUGIN.format(name="say_goodbye"))
    monkeypatch.syspath_prepend(tmp_path)
    assert {tool.name for tool in discover_tools().tools} >= NAMES | {"say_hello", "say_goodbye"}
