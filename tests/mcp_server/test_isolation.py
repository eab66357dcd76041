"""A third party's tool that hangs, blocks, throws or lies is named, and does nobody else any harm."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from mcp import Client

from mcp_server.offer import Offer
from mcp_server.server import ScopedServer, build_server
from policies.principal import SCOPE_DISPATCH, SCOPE_READ
from tests.mcp_server.calling import answer, text_of
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import ANA, SmallGrid
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput
from tools.errors import ToolScopeError, ToolUnavailableError
from tools.registry import discover_tools

pytestmark = pytest.mark.anyio
in_both_eras = pytest.mark.parametrize("mode", MODES)

SOON_S = 0.05
"""A time limit that only a tool which never answers comes to."""
PATIENT_S = 20.0


class Ask(ToolInput):
    """Nothing to ask."""


class Said(ToolOutput):
    """A word."""

    word: str


def plugin(run: Any, effect: Any = "read") -> Tool:
    scope = SCOPE_READ if effect == "read" else SCOPE_DISPATCH
    return Tool("foreign_tool", "A plugin", "Of a third party.", effect, scope, Ask, Said, run)


def serving(plant: SmallGrid, tool: Tool, timeout_s: float = PATIENT_S) -> ScopedServer:
    """That tool beside all of ours."""
    tools = [tool, *discover_tools().tools]
    return build_server(tools, lambda: plant.workplace.context(ANA), offer=Offer(tool_timeout_s=timeout_s))


async def failed(client: Client) -> str:
    result = await client.call_tool("foreign_tool", {})
    assert result.is_error
    text = text_of(result)
    assert text.startswith("foreign_tool ")
    assert "Error executing" not in text
    assert "Traceback" not in text
    return text


async def hang(request: Ask, context: ToolContext) -> Said:
    await anyio.sleep_forever()
    raise AssertionError


@in_both_eras
async def test_a_tool_that_hangs_is_stopped_named_and_alone(
    quiet_plant: SmallGrid, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    async with Client(serving(quiet_plant, plugin(hang), SOON_S), mode=mode) as client:
        text = await failed(client)
        assert "did not answer within 0.05 s and was stopped; nothing is known of its result" in text
        await answer(client, "check_telemetry")
    assert "tool foreign_tool (" in caplog.text
    assert ") was stopped after 0.05 s" in caplog.text


async def test_one_of_our_own_that_hangs_is_stopped_too(quiet_plant: SmallGrid) -> None:
    async def own(request: Ask, context: ToolContext) -> Said:
        return await hang(request, context)

    own.__module__ = "tools.waits_forever"
    async with Client(serving(quiet_plant, plugin(own), SOON_S)) as client:
        assert "was stopped" in await failed(client)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What a blocking tool waits for; set at the end, so that its thread goes on."""
    event = threading.Event()
    yield event
    event.set()


@in_both_eras
async def test_a_tool_that_blocks_its_thread_does_not_hold_up_the_others(
    quiet_plant: SmallGrid, mode: str, released: threading.Event
) -> None:
    begun = threading.Event()

    async def block(request: Ask, context: ToolContext) -> Said:
        begun.set()
        released.wait()
        return Said(word="late")

    server = serving(quiet_plant, plugin(block))
    async with Client(server, mode=mode) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "foreign_tool", {})
        await anyio.to_thread.run_sync(begun.wait)
        async with Client(server, mode=mode) as other:
            await answer(other, "check_telemetry")
        await answer(client, "check_telemetry")
        released.set()


async def test_a_blocked_thread_is_given_up_after_the_limit_and_serves_again_when_it_is_free(
    quiet_plant: SmallGrid, released: threading.Event
) -> None:
    async def block(request: Ask, context: ToolContext) -> Said:
        released.wait()
        return Said(word="free")

    async with Client(serving(quiet_plant, plugin(block), SOON_S)) as client:
        assert "was stopped" in await failed(client)
    released.set()
    async with Client(serving(quiet_plant, plugin(block))) as client:
        assert await answer(client, "foreign_tool") == {"word": "free"}


async def test_what_it_proposes_after_its_time_is_refused(
    plant: SmallGrid, released: threading.Event
) -> None:
    outcome: list[object] = []
    done = threading.Event()

    async def dawdle(request: Ask, context: ToolContext) -> Said:
        released.wait()
        try:
            outcome.append(await context.propose(asset="battery", power_kw=5.0, duration_s=60.0, reason="x"))
        except ToolScopeError as error:
            outcome.append(str(error))
        done.set()
        return Said(word="late")

    before = plant.written()
    async with Client(serving(plant, plugin(dawdle, "act"), SOON_S)) as client:
        await failed(client)
        released.set()
        await anyio.to_thread.run_sync(done.wait)
    assert outcome == ["this call is over: it was answered or its time ran out; propose in time"]
    assert plant.written() == before


async def test_what_it_proposes_in_time_is_judged_like_anybodys(plant: SmallGrid) -> None:
    async def discharge(request: Ask, context: ToolContext) -> Said:
        assert threading.current_thread() is not threading.main_thread()
        outcome = await context.propose(asset="battery", power_kw=5.0, duration_s=600.0, reason="a test")
        return Said(word=outcome.status)

    async with Client(serving(plant, plugin(discharge, "act"))) as client:
        assert await answer(client, "foreign_tool") == {"word": "accepted"}
    plant.advance()
    assert plant.owner.readings().battery.power_kw == 5.0


def raising(make: Callable[[], BaseException]) -> Tool:
    async def fail(request: Ask, context: ToolContext) -> Said:
        raise make()

    return plugin(fail)


CRASHES: list[Callable[[], BaseException]] = [
    lambda: RuntimeError("secret"),
    lambda: SystemExit("secret"),
    lambda: KeyboardInterrupt("secret"),
    lambda: asyncio.CancelledError("secret"),
    lambda: TimeoutError("secret"),
    lambda: RecursionError("secret"),
    lambda: ExceptionGroup("secret", [ValueError("secret")]),
]


@in_both_eras
@pytest.mark.parametrize("make", CRASHES, ids=lambda make: type(make()).__name__)
async def test_whatever_it_raises_the_server_lives_on(
    quiet_plant: SmallGrid, caplog: pytest.LogCaptureFixture, mode: str, make: Callable[[], BaseException]
) -> None:
    async with Client(serving(quiet_plant, raising(make)), mode=mode) as client:
        for _ in range(2):
            text = await failed(client)
            assert "failed inside the server and nothing is known of its result" in text
            assert "secret" not in text
        await answer(client, "check_telemetry")
    assert "tool foreign_tool (" in caplog.text
    assert ") failed" in caplog.text


async def test_what_it_says_for_its_caller_reaches_the_caller(quiet_plant: SmallGrid) -> None:
    tool = raising(lambda: ToolUnavailableError("no chargers report yet; wait a minute"))
    async with Client(serving(quiet_plant, tool)) as client:
        result = await client.call_tool("foreign_tool", {})
    assert text_of(result) == "foreign_tool: no chargers report yet; wait a minute"


@in_both_eras
@pytest.mark.parametrize("wrong", [None, {"word": "a"}, "a", ToolOutput()], ids=str)
async def test_an_answer_of_another_type_is_named(
    quiet_plant: SmallGrid, caplog: pytest.LogCaptureFixture, mode: str, wrong: object
) -> None:
    async def lie(request: Ask, context: ToolContext) -> Any:
        return wrong

    async with Client(serving(quiet_plant, plugin(lie)), mode=mode) as client:
        text = await failed(client)
    named = type(wrong).__name__
    assert f"broke its contract (a {named} instead of a Said)" in text
    assert f"answered a {named} instead of a Said" in caplog.text
