"""The console's page is offered to clients that can open a URL; whatever they answer, a person decides."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, ClientSession
from mcp.client import ClientRequestContext
from mcp.types import (
    INTERNAL_ERROR,
    CallToolResult,
    ClientCapabilities,
    ElicitationCapability,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    ErrorData,
    FormElicitationCapability,
    InputRequiredResult,
)

from grid_supervisor.calls import call_tool
from mcp_server import console_offer
from mcp_server.console_offer import OFFER
from mcp_server.server import Sources, build_server
from policies.principal import SCOPE_DISPATCH
from smartgrid.area import Workplace
from smartgrid.supervising import LOOPS, open_supervisor
from tests.mcp_server.calling import WISH, answer
from tests.mcp_server.conftest import MODES
from tests.mcp_server.served import served
from tests.tools.small_grid import ANA, OPERATOR, SmallGrid
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput

pytestmark = pytest.mark.anyio
eras = pytest.mark.parametrize("mode", MODES)
transports = pytest.mark.parametrize("transport", ["memory", "http"])

BASE = "http://127.0.0.1:8765"
PAGE = f"{BASE}/console/approvals/1"
ACCEPT = ElicitResult(action="accept")


class Person:
    """A client's user: takes what is asked, and answers the same each time; None never answers."""

    def __init__(self, reply: ElicitResult | ErrorData | Exception | None = ACCEPT) -> None:
        self._reply = reply
        self.asked: list[ElicitRequestURLParams] = []
        self.reached, self.withdrawn = anyio.Event(), anyio.Event()

    async def __call__(
        self,
        context: ClientRequestContext,  # noqa: ARG002
        params: ElicitRequestParams,
    ) -> ElicitResult | ErrorData:
        assert isinstance(params, ElicitRequestURLParams)
        self.asked.append(params)
        self.reached.set()
        if isinstance(self._reply, Exception):
            raise self._reply
        try:
            while self._reply is None:
                await anyio.sleep_forever()
        finally:
            self.withdrawn.set()
        return self._reply


def consoled(plant: SmallGrid) -> Workplace:
    """The plant's workplace beside a console."""
    return Workplace(
        plant.area,
        ledger=plant.ledger,
        reader=plant.store,
        clock=plant.clock,
        tools=tuple(plant.tools.values()),
        console=lambda: BASE,
    )


@asynccontextmanager
async def client_of(
    plant: SmallGrid, person: Person | None, mode: str, transport: str = "memory"
) -> AsyncIterator[Client]:
    server = consoled(plant).server_for(ANA)
    async with AsyncExitStack() as stack:
        target: Any = server if transport == "memory" else await stack.enter_async_context(served(server))
        yield await stack.enter_async_context(Client(target, mode=mode, elicitation_callback=person))


def waits(found: dict[str, Any]) -> bool:
    """Whether an answer is the normal one of the first request, which names the page too."""
    return (found["status"], found["approval_id"], PAGE in found["next_step"]) == (
        "pending_approval",
        "1",
        True,
    )


def opened_only_a_request(plant: SmallGrid) -> bool:
    written = plant.written()
    return (written["approvals"], written["proposals"]) == (1, 0)


@eras
@transports
async def test_a_client_that_accepts_by_itself_is_asked_once_and_dispatches_nothing(
    plant: SmallGrid, mode: str, transport: str
) -> None:
    person = Person(ACCEPT)
    async with client_of(plant, person, mode, transport) as client:
        for _ in range(3):
            assert waits(await answer(client, "dispatch_peaker", **WISH))
        assert opened_only_a_request(plant)
        (asked,) = person.asked
        assert (asked.mode, asked.url) == ("url", PAGE)
        assert (asked.elicitation_id is None) == (mode == "auto"), "2026-07-28 knows no such id"

        plant.approvals.approve("1", OPERATOR, "agreed")
        assert (await answer(client, "dispatch_peaker", **WISH))["status"] == "accepted"
    assert len(person.asked) == 1
    assert plant.written()["proposals"] == 1


@eras
@transports
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_client_that_declines_gets_the_same_answer(
    plant: SmallGrid, mode: str, transport: str, action: Any
) -> None:
    person = Person(ElicitResult(action=action))
    async with client_of(plant, person, mode, transport) as client:
        assert waits(await answer(client, "dispatch_peaker", **WISH))
    assert [asked.url for asked in person.asked] == [PAGE]
    assert opened_only_a_request(plant)


@transports
@pytest.mark.parametrize("reply", [ErrorData(code=INTERNAL_ERROR, message="no browser"), RuntimeError("oh")])
async def test_an_earlier_client_that_errs_when_asked_gets_its_answer_nevertheless(
    plant: SmallGrid, transport: str, reply: ErrorData | RuntimeError
) -> None:
    person = Person(reply)
    async with client_of(plant, person, "legacy", transport) as client:
        assert waits(await answer(client, "dispatch_peaker", **WISH))
    assert len(person.asked) == 1


async def test_so_does_one_whose_reply_makes_no_sense(
    plant: SmallGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def nonsense(session: ClientSession, context: object, method: str, params: object) -> Any:
        asked.append(method)
        return {"action": "perhaps"}

    monkeypatch.setattr(ClientSession, "_on_request", nonsense)
    async with client_of(plant, Person(), "legacy") as client:
        assert waits(await answer(client, "dispatch_peaker", **WISH))
    assert asked == ["elicitation/create"]


@transports
async def test_an_earlier_client_that_never_answers_is_asked_no_longer_and_gets_its_answer(
    plant: SmallGrid, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_offer, "PATIENCE_S", 0.05)
    person = Person(None)
    async with client_of(plant, person, "legacy", transport) as client:
        assert waits(await answer(client, "dispatch_peaker", **WISH))
        await person.withdrawn.wait()
        assert waits(await answer(client, "dispatch_peaker", **WISH))
    assert len(person.asked) == 1


@transports
async def test_while_a_client_of_2026_hangs_the_server_waits_for_nothing(
    plant: SmallGrid, transport: str
) -> None:
    person = Person(None)
    async with client_of(plant, person, "auto", transport) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: answer(client, "dispatch_peaker", **WISH))
        await person.reached.wait()
        assert waits(await answer(client, "dispatch_peaker", **WISH))
        tasks.cancel_scope.cancel()
    assert opened_only_a_request(plant)


async def test_a_call_repeated_with_its_answer_is_not_asked_again_by_another_process(
    plant: SmallGrid,
) -> None:
    def called(client: Client, **more: Any) -> Any:
        return client.session.call_tool("dispatch_peaker", WISH, allow_input_required=True, **more)

    async with client_of(plant, Person(), "auto") as client:
        first = await called(client)
        assert isinstance(first, InputRequiredResult)
    async with client_of(plant, Person(), "auto") as client:
        again = await called(client, input_responses={OFFER: ACCEPT}, request_state=first.request_state)
        assert isinstance(again, CallToolResult)
    assert again.structured_content is not None
    assert waits(again.structured_content)
    assert opened_only_a_request(plant)


@eras
async def test_another_request_has_another_page(plant: SmallGrid, mode: str) -> None:
    person = Person()
    async with client_of(plant, person, mode) as client:
        for power_kw in (20.0, 21.0):
            await answer(client, "dispatch_peaker", **WISH | {"power_kw": power_kw})
    assert [asked.url for asked in person.asked] == [PAGE, f"{BASE}/console/approvals/2"]


@eras
async def test_nobody_is_asked_where_nothing_waits_or_no_console_is_served(
    plant: SmallGrid, mode: str
) -> None:
    person = Person()
    async with client_of(plant, person, mode) as client:
        assert (await answer(client, "discharge_battery", **WISH))["status"] == "accepted"
        await answer(client, "get_grid_status")
    async with Client(plant.server(), mode=mode, elicitation_callback=person) as client:
        assert (await answer(client, "dispatch_peaker", **WISH))["status"] == "pending_approval"
    assert person.asked == []


@eras
async def test_a_client_that_opens_no_urls_is_not_asked(
    plant: SmallGrid, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person()
    forms = ClientCapabilities(elicitation=ElicitationCapability(form=FormElicitationCapability()))
    monkeypatch.setattr(ClientSession, "_build_capabilities", lambda *_: forms)
    async with client_of(plant, person, mode) as client:
        assert waits(await answer(client, "dispatch_peaker", **WISH))
    monkeypatch.undo()
    async with client_of(plant, None, mode) as client:
        assert waits(await answer(client, "dispatch_peaker", **WISH))
    assert person.asked == []


async def test_the_supervisors_own_clients_are_not_asked(plant: SmallGrid) -> None:
    async with AsyncExitStack() as stack:
        supervisor = await open_supervisor(stack, consoled(plant), tuple(LOOPS))
        for number, loop in enumerate(supervisor._loops, start=1):
            found = await call_tool(loop._client, "dispatch_peaker", WISH)
            assert (found["status"], found["approval_id"]) == ("pending_approval", str(number))
            assert f"{BASE}/console/approvals/{number}" in found["next_step"]
    assert number == len(LOOPS)


class Ask(ToolInput):
    """Which request the plugin is to name."""

    number: str


class Odd(ToolOutput):
    """What a plugin may answer."""

    status: str
    approval_id: str


async def odd(request: Ask, context: ToolContext) -> Odd:
    return Odd(status="pending_approval", approval_id=request.number)


@eras
async def test_a_plugin_can_have_the_page_of_a_request_offered_and_no_other(
    quiet_plant: SmallGrid, mode: str
) -> None:
    person = Person()
    tool = Tool("odd", "Odd", "Answers what it is told.", "act", SCOPE_DISPATCH, Ask, Odd, odd)
    sources = Sources(approval_page=lambda number: f"{BASE}/{number}")
    server = build_server([tool], lambda: quiet_plant.workplace.context(ANA), sources=sources)
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        for number in ("../login#code", "1?next=//elsewhere", "", "٣", "7"):
            assert (await answer(client, "odd", number=number))["approval_id"] == number
    assert [asked.url for asked in person.asked] == [f"{BASE}/7"]
