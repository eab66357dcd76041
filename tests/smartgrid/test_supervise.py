"""The supervisor on a small area in simulated time: who leads, what stops it, what a shadow leaves behind."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import anyio
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from mcp import Client
from mcp.server import MCPServer
from sqlalchemy import select

from dispatch.errors import ForbiddenError, LedgerError
from dispatch.flags import halt_of, resume
from dispatch.lease import SUPERVISOR, Lease
from dispatch.schema import audit
from dispatch.supervision import alarm_of, heartbeat_of
from grid_supervisor.daemon import Daemon
from grid_supervisor.loop import Loop
from grid_supervisor.results import TickResult
from grid_supervisor.supervisor import POLICIES
from pipeline.errors import StoreError
from policies.principal import RESPONSE, Principal, local_principal, operator_principal
from policies.view import Decision, GridView
from smartgrid.errors import RoleError
from smartgrid.halt_file import obey_halt_file, require_no_halt_file
from smartgrid.settings import Settings
from smartgrid.standing_by import StandBy, ledger_problem
from smartgrid.stopping import until_drained
from smartgrid.supervising import lead
from smartgrid.watchdog import Watchdog
from tests.grid_supervisor.conftest import Plant

pytestmark = pytest.mark.anyio

ANA, BEN = local_principal("ana"), operator_principal("ben")
BOTH = ("response", "trading")
RISE_KW = 1_500.0
"""Over the last half hour; half again the limit, so that response has to act."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wall:
    """Wall time, moved by the test."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """On a ramp that response answers, with the battery."""
    made = Plant(tmp_path, rise_kw=RISE_KW)
    yield made
    made.close()


def settings_of(plant: Plant, **choices: Any) -> Settings:
    return Settings(state=plant.ledger.path.parent, kafka=None, influx_url=None, **choices)


@asynccontextmanager
async def leading(plant: Plant, wall: Wall, **choices: Any) -> AsyncIterator[Daemon]:
    """A daemon that leads."""
    lease = Lease(plant.ledger, "here:1", wall, 20.0, SUPERVISOR)
    assert lease.acquire()
    async with AsyncExitStack() as stack:
        yield await lead(
            stack,
            plant.workplace,
            settings_of(plant, **choices),
            BOTH,
            interval_start=plant.clock.now,
            lease=lease,
        )


def entries(plant: Plant, kind: str) -> list[tuple[str, str]]:
    """Actor and payload of the audit's entries of a kind."""
    with plant.ledger.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.kind == kind).order_by(audit.c.seq))
        return [(row.actor, row.payload) for row in rows]


def outcomes(result: TickResult | None) -> list[str]:
    assert result is not None
    return [loop.outcome for loop in result.loops]


# -- heartbeat --------------------------------------------------------------------------------------


async def test_each_step_leaves_a_heartbeat_that_ages_without_one(plant: Plant, wall: Wall) -> None:
    async with leading(plant, wall) as daemon:
        for _ in range(2):
            await daemon.step()
            wall.now_s += 7.0
    with plant.ledger.reading() as connection:
        beat = heartbeat_of(connection)
    assert beat is not None
    assert (beat.owner, beat.mode, beat.loops) == ("here:1", "live", BOTH)
    assert beat.age_s(wall()) == 7.0
    assert (await shown(plant))["mode"] == "live"


async def shown(plant: Plant) -> dict[str, Any]:
    """What the status says of the supervisor."""
    async with Client(plant.workplace.server_for(ANA)) as client:
        status = (await client.call_tool("get_grid_status", {})).structured_content
    assert status is not None
    seen: dict[str, Any] = status["supervisor"]
    return seen


# -- the kill switch --------------------------------------------------------------------------------


async def test_the_halt_file_stops_the_loops_at_once_and_brings_the_assets_to_rest(
    plant: Plant, wall: Wall
) -> None:
    file = settings_of(plant).state / "halt"
    async with leading(plant, wall) as daemon:
        assert outcomes(await daemon.step()) == ["acted", "acted"]
        assert plant.act().battery_kw > 100
        file.write_text("smoke in the battery hall\nand more", encoding="utf-8")
        assert await daemon.step() is None  # between two ticks
        assert plant.act().battery_kw == 0
        plant.advance()
        assert outcomes(await daemon.step()) == ["blocked", "blocked"]
        file.unlink()
        plant.advance()
        assert outcomes(await daemon.step()) == ["blocked", "blocked"]
        resume(plant.ledger, BEN, "the smoke is gone", plant.clock.now())
        plant.advance()
        assert "acted" in outcomes(await daemon.step())
    (entry,) = entries(plant, "halted")
    assert entry[0] == "file:halt"
    assert "the file halt is there: smoke in the battery hall" in entry[1]
    assert "and more" not in entry[1]


def test_a_halt_that_stands_is_not_replaced_by_the_file(plant: Plant) -> None:
    file = settings_of(plant).state / "halt"
    file.mkdir()  # whatever it is
    now = plant.clock.now()
    assert obey_halt_file(file.parent, plant.ledger, now)
    assert not obey_halt_file(file.parent, plant.ledger, now)
    assert len(entries(plant, "halted")) == 1


def test_nobody_resumes_while_the_file_is_there_or_without_the_scope_to_approve(plant: Plant) -> None:
    state = settings_of(plant).state
    (state / "halt").touch()
    obey_halt_file(state, plant.ledger, plant.clock.now())
    with pytest.raises(RoleError, match="remove it first"):
        require_no_halt_file(state)
    (state / "halt").unlink()
    require_no_halt_file(state)
    with pytest.raises(ForbiddenError, match="grid:approve"):
        resume(plant.ledger, ANA, "all is well", plant.clock.now())
    with plant.ledger.reading() as connection:
        assert halt_of(connection) is not None


# -- the watchdog -----------------------------------------------------------------------------------


def states(plant: Plant) -> dict[str, str]:
    """The state of each requester's newest proposal."""
    return {str(row.requester): str(row.state) for row in plant.accepted()}


async def hold_for_an_hour(plant: Plant, who: Principal) -> None:
    async with Client(plant.workplace.server_for(who)) as client:
        asked = {"power_kw": 100.0, "duration_min": 60.0, "reason": "a test"}
        assert not (await client.call_tool("discharge_battery", asked)).is_error


async def test_silence_brings_the_assets_to_rest_with_an_alarm_until_telemetry_is_back(
    plant: Plant, wall: Wall, caplog: pytest.LogCaptureFixture
) -> None:
    async with leading(plant, wall, watchdog_s=1_200.0) as daemon:
        await hold_for_an_hour(plant, RESPONSE)
        await hold_for_an_hour(plant, ANA)
        plant.metering = False
        plant.advance(3)
        await daemon.step()
        assert states(plant) == {"supervisor:response": "LIVE", "local:ana": "LIVE"}
        assert alarm(plant) is None
        plant.advance()
        for _ in range(2):
            await daemon.step()
            assert alarm(plant) == "no fresh telemetry for 1500 s"
        assert states(plant) == {"supervisor:response": "WITHDRAWN", "local:ana": "LIVE"}
        assert len(entries(plant, "watchdog_alarm")) == 1
        assert (await shown(plant))["alarm"] == "no fresh telemetry for 1500 s"
        assert "watchdog: no fresh telemetry for 1500 s; the assets go to their safe setpoints" in caplog.text
        plant.metering = True
        plant.advance()
        await daemon.step()
    assert alarm(plant) is None
    assert len(entries(plant, "watchdog_cleared")) == 1


def alarm(plant: Plant) -> str | None:
    with plant.ledger.reading() as connection:
        found = alarm_of(connection)
    return None if found is None else found.reason


def test_telemetry_that_was_never_there_counts_from_the_first_look(plant: Plant) -> None:
    watchdog = Watchdog(plant.ledger, plant.clock, lambda: None, limit_s=600.0)
    for waited in (0, 2, 1):
        plant.advance(waited)
        assert alarm(plant) is None
        watchdog.look()
    assert alarm(plant) == "no fresh telemetry for 900 s"


def test_a_store_that_cannot_be_read_is_silence_and_ends_no_alarm(plant: Plant) -> None:
    ages: list[float | None] = [0.0, None, None, 0.0]

    def age_s() -> float:
        age = ages.pop(0)
        if age is None:
            raise StoreError("the store is away")
        return age

    watchdog = Watchdog(plant.ledger, plant.clock, age_s, limit_s=600.0)
    seen = []
    for _ in range(4):
        watchdog.look()
        seen.append(alarm(plant) is not None)
        plant.advance(3)
    assert seen == [False, True, True, False]


def test_an_alarm_outlives_the_process_that_raised_it(plant: Plant) -> None:
    for _ in range(2):
        Watchdog(plant.ledger, plant.clock, lambda: 700.0, limit_s=600.0).look()
    assert len(entries(plant, "watchdog_alarm")) == 1
    Watchdog(plant.ledger, plant.clock, lambda: 5.0, limit_s=600.0).look()
    assert alarm(plant) is None


# -- shadow mode ------------------------------------------------------------------------------------


async def test_a_shadow_decides_and_records_and_acts_on_nothing(
    plant: Plant, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Principal] = []
    serve = plant.workplace.server_for

    def server_for(principal: Principal) -> MCPServer[None]:
        connected.append(principal)
        return serve(principal)

    monkeypatch.setattr(plant.workplace, "server_for", server_for)
    async with leading(plant, wall, shadow=True) as daemon:
        result = await daemon.step()
        assert outcomes(result) == ["shadowed", "shadowed"]
    with plant.ledger.reading() as connection:
        beat = heartbeat_of(connection)
    assert beat is not None
    assert beat.mode == "shadow"
    assert plant.accepted() == []
    assert plant.approvals.list() == []
    assert plant.act().battery_kw == 0
    assert [who.subject for who in connected] == ["supervisor:response", "supervisor:trading"]
    assert {scope for who in connected for scope in who.scopes} == {"grid:read"}
    recorded = entries(plant, "shadow_decision")
    assert [actor for actor, _ in recorded] == ["supervisor:response", "supervisor:trading"]
    assert all("would call discharge_battery with" in payload for _, payload in recorded)
    assert plant.ledger.verify_audit().ok


async def test_a_shadow_never_asks_for_an_approval(make_shadow_loop: Callable[[], Any], plant: Plant) -> None:
    async with make_shadow_loop() as loop:
        result = await loop.tick()
    (action,) = result.actions
    assert (action.status, action.detail) == ("shadow", "would call dispatch_peaker with 500 kW for 60 min")
    assert plant.approvals.list() == []


@pytest.fixture
def make_shadow_loop(plant: Plant) -> Callable[[], Any]:
    """A loop with the scope to dispatch, that wants a peaker start all the same."""
    wanted = Decision("peaker", 500.0, 500.0, 500.0, 3600.0, "scripted")

    @asynccontextmanager
    async def make() -> AsyncIterator[Loop]:
        async with Client(plant.workplace.server_for(RESPONSE)) as client:
            yield Loop("response", lambda _view: (wanted,), client, InMemorySaver(), shadow=True)

    return make


# -- who leads --------------------------------------------------------------------------------------


class Scene:
    """A process that stands by, and what happens while it waits."""

    def __init__(self, plant: Plant, wall: Wall, *happens: Callable[[], object]) -> None:
        self.said: list[str] = []
        self.stopped = anyio.Event()
        self._happens = [*happens, self.stopped.set]
        self.process = StandBy(plant.workplace, settings_of(plant), BOTH, say=self.said.append, wall_s=wall)

    async def run(self) -> None:
        await self.process.run(self.stopped, self._pause)

    async def _pause(self) -> None:
        self._happens.pop(0)()


def other_process(plant: Plant, wall: Wall) -> Lease:
    return Lease(plant.ledger, "elsewhere:1", wall, 20.0, SUPERVISOR)


async def test_a_second_supervisor_stands_by_and_takes_over_when_the_lease_has_expired(
    plant: Plant, wall: Wall
) -> None:
    plant.act()
    dead = other_process(plant, wall)
    assert dead.acquire()

    def pass_time(seconds: float) -> Callable[[], None]:
        def later() -> None:
            assert plant.accepted() == []
            wall.now_s += seconds

        return later

    scene = Scene(plant, wall, pass_time(15.0), pass_time(4.0), pass_time(2.0))
    await scene.run()
    assert scene.said[0] == "stands by: process elsewhere:1 has the supervisor"
    assert scene.said[1].startswith("supervises ")
    assert scene.said[2] == "2026-03-01 12:00:00+00:00 response: acted "
    assert len(scene.said) == 4
    assert {row.requester for row in plant.accepted()} == {"supervisor:response", "supervisor:trading"}
    assert dead.holder() is None  # given back


async def test_a_leader_that_was_held_up_for_too_long_stands_by_again(plant: Plant, wall: Wall) -> None:
    plant.act()
    other = other_process(plant, wall)

    def be_held_up() -> None:
        wall.now_s += 100.0
        assert other.acquire()
        plant.advance()
        plant.act()

    scene = Scene(plant, wall, be_held_up)
    await scene.run()
    assert [text.split(" ")[0] for text in scene.said] == ["supervises", "2026-03-01", "2026-03-01", "stands"]
    assert other.holder() == "elsewhere:1"


async def test_a_tick_that_has_begun_is_finished_when_the_process_is_told_to_stop(
    plant: Plant, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.act()
    scene = Scene(plant, wall)

    def policy(view: GridView) -> Sequence[Decision]:
        scene.stopped.set()
        return POLICIES["response"](view)

    monkeypatch.setattr("grid_supervisor.supervisor.POLICIES", {**POLICIES, "response": policy})
    await scene.run()
    assert [row.requester for row in plant.accepted()] == ["supervisor:response", "supervisor:trading"]
    assert other_process(plant, wall).holder() is None


async def test_a_leader_whose_ledger_is_away_stands_by_until_it_is_back(
    plant: Plant, wall: Wall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plant.act()

    def go_away() -> None:
        def away(*_: object) -> NoReturn:
            raise LedgerError("nobody answers")

        plant.advance()
        plant.act()
        monkeypatch.setattr(plant.ledger, "transaction", away)

    scene = Scene(plant, wall, go_away, lambda: None, monkeypatch.undo)
    await scene.run()
    assert "no longer the leader: nobody answers" in caplog.text
    assert "the ledger is away: nobody answers" in caplog.text
    leads = [text for text in scene.said if text.startswith("supervises")]
    assert len(leads) == 2
    assert len(plant.accepted("supervisor:response")) == 2


async def test_whoever_is_told_to_stop_while_standing_by_ends(plant: Plant, wall: Wall) -> None:
    other = other_process(plant, wall)
    assert other.acquire()
    scene = Scene(plant, wall)
    await scene.run()
    assert len(scene.said) == 1
    assert other.holder() == "elsewhere:1"


@pytest.mark.parametrize("led_elsewhere", [False, True])
async def test_a_supervisor_says_at_every_look_that_it_goes_on_whether_it_leads_or_not(
    plant: Plant, wall: Wall, led_elsewhere: bool
) -> None:
    plant.act()
    assert not led_elsewhere or other_process(plant, wall).acquire()
    said: list[str] = []
    looks: list[str] = []
    stopped = anyio.Event()

    def came_round() -> None:
        looks.append(said[0].split()[0])
        stopped.set()

    process = StandBy(
        plant.workplace, settings_of(plant), BOTH, say=said.append, came_round=came_round, wall_s=wall
    )
    with anyio.fail_after(30.0):
        await process.run(stopped)
    assert looks == ["stands" if led_elsewhere else "supervises"]


def test_a_ledger_that_is_away_is_a_problem_that_says_so(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ledger_problem(plant.ledger) is None

    def away(*_: object) -> NoReturn:
        raise LedgerError("nobody answers")

    monkeypatch.setattr(plant.ledger, "reading", away)
    assert ledger_problem(plant.ledger) == "nobody answers"


def test_a_signal_lets_the_work_come_to_its_end_and_a_second_one_cancels_it() -> None:
    came_to: list[str] = []

    async def drains(stopped: anyio.Event) -> None:
        signal.raise_signal(signal.SIGTERM)
        await stopped.wait()
        came_to.append("the end")

    async def does_not(stopped: anyio.Event) -> None:
        signal.raise_signal(signal.SIGTERM)
        await stopped.wait()
        came_to.append("a stop")
        signal.raise_signal(signal.SIGTERM)
        await anyio.sleep_forever()

    anyio.run(until_drained, drains)
    anyio.run(until_drained, does_not)
    assert came_to == ["the end", "a stop"]
