"""A supervisor that dies anywhere in a request's life: the next one asks nothing anew, and acts once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from dispatch.flags import halt, resume
from grid_supervisor.calls import call_tool
from grid_supervisor.loop import Loop
from grid_supervisor.results import Action, LoopResult
from policies.limits import Limits
from policies.principal import operator_principal
from smartgrid.errors import RoleError
from smartgrid.supervising import open_saver
from tests.grid_supervisor.conftest import Plant, Script

pytestmark = pytest.mark.anyio

OPERATOR = operator_principal("ben")
WANTED_KW = 300.0
ENOUGH_INTERVALS = 4


class CrashError(Exception):
    """The process died."""


class Fuse:
    """Lets a process live for so many steps: writes of threads, and calls of the tool that acts."""

    def __init__(self, steps: int | None = None) -> None:
        self.steps = steps
        self.burnt = 0

    def guard(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def guarded(*arguments: Any, **named: Any) -> Any:
            if self.steps is not None and self.burnt >= self.steps:
                raise CrashError
            self.burnt += 1
            return await work(*arguments, **named)

        return guarded


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> Fuse:
    """Blows never until a test says so."""
    made = Fuse()
    for name in ("aput", "aput_writes", "adelete_thread"):
        method = getattr(AsyncSqliteSaver, name)
        monkeypatch.setattr(AsyncSqliteSaver, name, made.guard(method))
    monkeypatch.setattr("grid_supervisor.approval_graph.call_tool", made.guard(call_tool))
    return made


class Process:
    """Supervisors of one state directory, one after the other."""

    def __init__(self, plant: Plant, script: Script, path: Path) -> None:
        self.plant, self.script, self._path = plant, script, path

    @asynccontextmanager
    async def alive(self, loop: str = "response") -> AsyncIterator[Loop]:
        """A loop on the threads that are kept there."""
        async with AsyncExitStack() as stack:
            saver = await open_saver(stack, self._path)
            yield await stack.enter_async_context(self.plant.loop(self.script, loop, saver=saver))

    async def kept(self) -> set[str]:
        """The names of the threads."""
        async with aiosqlite.connect(self._path) as connection:
            rows = await connection.execute_fetchall("SELECT DISTINCT thread_id FROM checkpoints")
        return {row[0] for row in rows}


@pytest.fixture
def process(make_plant: Callable[..., Plant], script: Script, tmp_path: Path) -> Process:
    """On a plant where a person agrees to more than 200 kW."""
    plant = make_plant(limits=Limits.model_validate({"approval": {"power_kw": 200.0}}))
    return Process(plant, script, tmp_path / "supervisor.db")


def only_action(result: LoopResult) -> Action:
    assert len(result.actions) == 1
    return result.actions[0]


def states(plant: Plant) -> list[str]:
    return [asked.state for asked in plant.approvals.list()]


def approve(plant: Plant) -> None:
    for asked in plant.approvals.list("PENDING"):
        plant.approvals.approve(asked.approval_id, OPERATOR, "go ahead")


# -- a crash anywhere -------------------------------------------------------------------------------


async def live_on(process: Process, loop: Loop, acted_before: int) -> None:
    """Until the call is carried out, and its interval is over."""
    plant = process.plant
    for _ in range(ENOUGH_INTERVALS):
        for _ in range(2):
            await loop.tick()
        if len(plant.accepted()) > acted_before:
            break
        plant.advance()
        approve(plant)
    process.script.wants_nothing()
    plant.advance()
    await loop.tick()


async def whole_life(process: Process, fuse: Fuse, steps: int, *, same_interval: bool) -> bool:
    """A request's life with a crash after so many steps; whether it came to the crash."""
    acted_before = len(process.plant.accepted())
    process.script.wants("battery", WANTED_KW)
    fuse.steps, fuse.burnt = steps, 0
    try:
        async with process.alive() as loop:
            await live_on(process, loop, acted_before)
    except* CrashError:
        fuse.steps = None
        if not same_interval:
            process.plant.advance()
        async with process.alive() as loop:
            await live_on(process, loop, acted_before)
    return fuse.steps is None


@pytest.mark.parametrize("same_interval", [True, False])
async def test_a_request_outlives_a_crash_between_any_two_steps(
    process: Process, fuse: Fuse, same_interval: bool
) -> None:
    crashed, steps = True, 0
    while crashed:
        crashed = await whole_life(process, fuse, steps, same_interval=same_interval)
        steps += 1
        used = [row.approval_id for row in process.plant.accepted()]
        assert states(process.plant) == ["CONSUMED"] * steps, f"crash before step {steps}"
        assert used == list(range(1, steps + 1)), f"crash before step {steps}"
        assert await process.kept() == set(), f"crash before step {steps}"
    assert steps > 14  # the request has so many writes and calls


# -- one restart at a time --------------------------------------------------------------------------


async def asked_for(process: Process) -> None:
    process.script.wants("battery", WANTED_KW)
    async with process.alive() as loop:
        assert only_action(await loop.tick()).status == "pending_approval"
    assert len(await process.kept()) == 1
    process.plant.advance()


async def test_a_restarted_loop_waits_on_and_asks_nothing_anew(process: Process) -> None:
    await asked_for(process)
    async with process.alive() as loop:
        action = only_action(await loop.tick())
    assert (action.status, action.approval_id) == ("waiting", "1")
    assert states(process.plant) == ["PENDING"]


async def test_what_was_approved_during_the_outage_is_carried_out_as_it_was_asked(process: Process) -> None:
    await asked_for(process)
    approve(process.plant)
    process.script.wants("battery", 900.0)
    async with process.alive() as loop:
        action = only_action(await loop.tick())
    assert (action.status, action.power_kw, action.approval_id) == ("accepted", WANTED_KW, "1")
    assert [row.power_kw for row in process.plant.accepted()] == [WANTED_KW]


async def test_a_denial_during_the_outage_holds_until_the_request_would_have_expired(
    process: Process,
) -> None:
    await asked_for(process)
    process.plant.approvals.deny("1", OPERATOR, "the line is out for works")
    async with process.alive() as loop:
        assert only_action(await loop.tick()).status == "waiting"
        process.plant.advance(12)
        expired, asked = (await loop.tick()).actions
    assert (expired.status, asked.approval_id) == ("expired", "2")
    assert {name.rpartition("/")[2] for name in await process.kept()} == {
        process.plant.clock.now().isoformat()
    }


async def test_threads_of_requests_that_expired_during_the_outage_are_pruned(process: Process) -> None:
    await asked_for(process)
    process.script.wants_nothing()
    process.plant.advance(12)
    async with process.alive() as loop:
        assert only_action(await loop.tick()).status == "expired"
    assert await process.kept() == set()


async def test_a_halt_during_the_outage_keeps_the_approved_call_back(process: Process) -> None:
    await asked_for(process)
    approve(process.plant)
    halt(process.plant.ledger, OPERATOR, "smoke in the hall", process.plant.clock.now())
    async with process.alive() as loop:
        assert (await loop.tick()).outcome == "blocked"
        assert process.plant.accepted() == []
        resume(process.plant.ledger, OPERATOR, "false alarm", process.plant.clock.now())
        assert only_action(await loop.tick()).status == "accepted"


async def test_each_loop_finds_its_own_threads(process: Process) -> None:
    await asked_for(process)
    async with process.alive("trading") as trading:
        assert only_action(await trading.tick()).status == "pending_approval"
    assert [asked.requester for asked in process.plant.approvals.list()] == [
        "supervisor:response",
        "supervisor:trading",
    ]


async def test_threads_that_cannot_be_read_are_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.db"
    path.write_bytes(b"no database at all, but long enough to look like one" * 40)
    async with AsyncExitStack() as stack:
        with pytest.raises(RoleError, match=r"supervisor\.db: cannot be used .*move it away"):
            await open_saver(stack, path)
