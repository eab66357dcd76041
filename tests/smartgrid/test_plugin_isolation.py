"""Broken plugins beside sound ones, through real entry points and through the server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.types import TextContent

from mcp_server.offer import Offer
from smartgrid.doctor import examine
from smartgrid.settings import Settings
from smartgrid.testing import ANA, SmallGrid
from tests.smartgrid.plugin_packages import OUR_NAMES, hello, lay_down
from tools.registry import Discovery, discover_tools

SOUND = {"sound_one": hello("say_hello"), "sound_two": hello("say_goodbye")}
BROKEN = {
    "ends_the_process": "raise SystemExit('no licence')",
    "hangs": "from threading import Event\nreleased = Event()\nreleased.wait()\n",
    "has_a_bad_name": hello("Say Hello"),
    "has_a_bad_model": hello("say_less").replace("word: str", "word: object = lambda: 0; then: 'Nowhere'"),
    "is_no_tool": "tool = 'say_hello'\n",
    "lacks_a_library": "import no_such_library_here\n",
    "may_not_approve": hello("say_yes").replace("SCOPE_READ, Ask", "'grid:approve', Ask"),
    "takes_a_name_of_ours": hello("get_grid_status"),
    "takes_anothers_name": hello("say_hello"),
    "waits_for_nobody": hello("say_it_now").replace("async def", "def"),
}
CALLED = {
    "answers_another": hello("answer_another", "return Ask()"),
    "blocks": hello("block_it", "import threading; threading.Event().wait()"),
    "cancels": hello("cancel_it", "import asyncio; raise asyncio.CancelledError"),
    "exits": hello("exit_it", "raise SystemExit(3)"),
    "throws": hello("throw_it", "return 1 / 0"),
    "waits": hello("wait_for_ever", "import asyncio; await asyncio.Event().wait()"),
}
CALLED_NAMES = ("answer_another", "block_it", "cancel_it", "exit_it", "throw_it", "wait_for_ever")


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Discovery]:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    for module, source in (SOUND | BROKEN | CALLED).items():
        lay_down(packages, module, source)
    monkeypatch.syspath_prepend(packages)
    yield discover_tools(limit_s=2.0)
    sys.modules["hangs"].released.set()
    for module in SOUND | BROKEN | CALLED:
        sys.modules.pop(module, None)


def test_each_broken_package_is_named_and_the_others_are_found(found: Discovery) -> None:
    assert {plugin.package: plugin.name for plugin in found.broken} == {name: name for name in BROKEN}
    reasons = {plugin.name: plugin.reason for plugin in found.broken}
    assert "no licence" in reasons["ends_the_process"]
    assert "not loaded within 2 s; let the module hangs" in reasons["hangs"]
    assert "name it in snake_case" in reasons["has_a_bad_name"]
    assert "'say_less'" in reasons["has_a_bad_model"]
    assert "is a str; it must be a smartgrid.plugin.Tool" in reasons["is_no_tool"]
    assert "no_such_library_here" in reasons["lacks_a_library"]
    assert "no tool may approve" in reasons["may_not_approve"]
    assert "the name 'get_grid_status' is taken" in reasons["takes_a_name_of_ours"]
    assert "the name 'say_hello' is taken" in reasons["takes_anothers_name"]
    assert "write async def run" in reasons["waits_for_nobody"]
    assert {tool.name for tool in found.tools} >= OUR_NAMES | {"say_hello", "say_goodbye"}


@pytest.mark.anyio
async def test_the_server_lives_on_whatever_a_plugin_does_when_it_is_called(
    found: Discovery, tmp_path: Path
) -> None:
    with SmallGrid(tmp_path / "state", tools=found.tools).start() as grid:
        server = grid.workplace.server_for(ANA, Offer(tool_timeout_s=2.0))
        async with Client(server) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert listed >= OUR_NAMES | {"say_hello", "say_goodbye", "throw_it"}
            for tool in CALLED_NAMES:
                broken = await client.call_tool(tool, {})
                assert broken.is_error
                (part,) = broken.content
                assert isinstance(part, TextContent)
                assert tool in part.text
                assert "Traceback" not in part.text
                status = await client.call_tool("get_grid_status", {})
                assert not status.is_error
            greeting = await client.call_tool("say_hello", {})
            assert greeting.structured_content == {"word": "hello"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_the_doctor_names_the_package_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_down(tmp_path, "no_good", "raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    told = [finding for finding in examine(Settings(state=tmp_path / "state")) if finding.what == "tools"]
    assert [finding.level for finding in told] == ["ok", "wrong"]
    assert told[1].detail == "plugin no_good of no_good: RuntimeError: no licence"
    assert told[1].fix == "mend or uninstall that package; the others work"
