import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.smartgrid.plugin_packages import OUR_NAMES
from tools.get_grid_status import tool as grid_status
from tools.registry import ENTRY_POINT_GROUP, discover_tools

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
    assert {tool.name for tool in found.tools} >= OUR_NAMES
    assert [tool.name for tool in found.tools] == sorted(tool.name for tool in found.tools)


def test_an_installed_package_adds_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "grid-greetings", "grid_greetings", PLUGIN.format(name="say_hello"))
    monkeypatch.syspath_prepend(tmp_path)
    found = discover_tools()
    assert {tool.name for tool in found.tools} >= OUR_NAMES | {"say_hello"}
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


UNSPEAKABLE = """
class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("not even this")
raise Unspeakable
"""


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("raise SystemExit(3)", "ToolDefinitionError: loading it raised SystemExit: 3"),
        ("raise KeyboardInterrupt", "ToolDefinitionError: loading it raised KeyboardInterrupt:"),
        ("raise GeneratorExit", "ToolDefinitionError: loading it raised GeneratorExit:"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("(", "SyntaxError: "),
        ("import asyncio; raise asyncio.CancelledError", "loading it raised CancelledError:"),
        ("raise TimeoutError('no answer')", "TimeoutError: no answer"),
        (UNSPEAKABLE, "Unspeakable: <exception str() failed>"),
    ],
)
def test_whatever_a_plugin_does_on_import_the_others_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str, told: str
) -> None:
    install(tmp_path, "bad-mood", "bad_mood", failure)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bad_mood", raising=False)
    found = discover_tools()
    assert {tool.name for tool in found.tools} >= OUR_NAMES
    assert [(plugin.name, plugin.package) for plugin in found.broken] == [("hello", "bad-mood")]
    assert told in found.broken[0].reason


def test_what_is_no_tool_is_named_and_left_out() -> None:
    found = discover_tools([point("dump", "json:dumps"), point("nothing", "json:no_such_name"), OURS])
    assert found.tools == (grid_status,)
    assert [plugin.name for plugin in found.broken] == ["dump", "nothing"]
    assert "json:dumps is a function; it must be a smartgrid.plugin.Tool" in found.broken[0].reason
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
    assert {tool.name for tool in discover_tools().tools} >= OUR_NAMES | {"say_hello", "say_goodbye"}


HANGING = """
from threading import Event
released = Event()
released.wait()
"""


def test_a_plugin_that_hangs_on_import_is_named_and_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "for-ever", "for_ever", HANGING)
    install(tmp_path, "grid-greetings", "grid_greetings", PLUGIN.format(name="say_hello"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "grid_greetings", raising=False)
    found = discover_tools(limit_s=0.3)
    sys.modules["for_ever"].released.set()
    assert {tool.name for tool in found.tools} >= OUR_NAMES | {"say_hello"}
    (left_out,) = found.broken
    assert (left_out.name, left_out.package) == ("hello", "for-ever")
    assert left_out.reason.startswith("PluginTimeoutError: not loaded within 0.3 s; let the module for_ever")


def test_a_schema_that_no_client_can_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PLUGIN.replace(
        "    word: str", "    word: str = Field(json_schema_extra={{'maxLength': 'many'}})"
    )
    source = "from pydantic import Field\n" + source.format(name="say_hello")
    install(tmp_path, "odd-schema", "odd_schema", source)
    monkeypatch.syspath_prepend(tmp_path)
    (left_out,) = discover_tools().broken
    assert left_out.reason.startswith(
        "ToolDefinitionError: its output schema is no JSON Schema 2020-12: 'many'"
    )
