import threading
from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp import Client

from knowledge.index import Passage
from mcp_server.server import build_server
from policies.principal import SCOPE_READ
from tests.mcp_server.conftest import MODES
from tests.mcp_server.served import served
from tests.tools.small_grid import ANA, SmallGrid
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", MODES)]

STEPS = [(1.0, 3.0, "first"), (2.0, None, "second"), (3.0, 3.0, None)]

Report = tuple[float, float | None, str | None]


class Ask(ToolInput):
    """Nothing to ask."""


class Done(ToolOutput):
    """Done."""

    steps: int


def work(context: ToolContext) -> Done:
    for done, total, message in STEPS:
        context.progress(done, total, message or "")
    return Done(steps=len(STEPS))


async def inline(request: Ask, context: ToolContext) -> Done:
    return work(context)


async def beside(request: Ask, context: ToolContext) -> Done:
    return await anyio.to_thread.run_sync(work, context)


inline.__module__ = beside.__module__ = "tools.long_work"


async def foreign(request: Ask, context: ToolContext) -> Done:
    assert threading.current_thread() is not threading.main_thread()
    return work(context)


async def reported(client: Client, name: str, **arguments: Any) -> list[Report]:
    heard: list[Report] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    result = await client.call_tool(name, arguments, progress_callback=hear)
    assert not result.is_error
    return heard


@pytest.mark.parametrize("run", [inline, beside, foreign])
@pytest.mark.parametrize("over", ["memory", "http"])
async def test_reports_reach_a_caller_who_asks_in_order_and_before_the_answer(
    quiet_plant: SmallGrid, mode: str, run: Any, over: str
) -> None:
    tool = Tool("work_long", "Work", "Works.", "read", SCOPE_READ, Ask, Done, run)
    server = build_server([tool], lambda: quiet_plant.workplace.context(ANA))
    if over == "memory":
        async with Client(server, mode=mode) as client:
            assert await reported(client, "work_long") == STEPS
        return
    async with served(server) as url, Client(url, mode=mode) as client:
        assert await reported(client, "work_long") == STEPS


async def test_nobody_else_is_told(quiet_plant: SmallGrid, mode: str) -> None:
    tool = Tool("work_long", "Work", "Works.", "read", SCOPE_READ, Ask, Done, inline)
    heard: list[object] = []

    async def hear(message: object) -> None:
        heard.append(message)

    server = build_server([tool], lambda: quiet_plant.workplace.context(ANA))
    async with Client(server, mode=mode, message_handler=hear) as client:
        result = await client.call_tool("work_long", {})
    assert result.structured_content == {"steps": 3}
    assert heard == []


class EmptyIndex:
    def search(self, *_: object, **__: object) -> list[Passage]:
        return []


async def test_looking_up_a_regulation_says_what_takes_so_long(quiet_plant: SmallGrid, mode: str) -> None:
    context = replace(quiet_plant.workplace.context(ANA), knowledge=EmptyIndex())
    server = build_server([quiet_plant.tools["lookup_regulation"]], lambda: context)
    async with Client(server, mode=mode) as client:
        heard = await reported(client, "lookup_regulation", question="BAL-003 R1")
    assert heard[0] == (0.0, 1.0, "searching; the first look-up indexes the shipped digest")
    assert heard[-1][0] == 1.0
