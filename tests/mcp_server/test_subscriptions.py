"""Subscribers are told what changed, in both eras, in memory and over HTTP; nobody sleeps: the test looks."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from mcp import Client
from mcp.server.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceUpdatedNotification, SubscribeRequestParams

from dispatch.flags import halt
from mcp_server import subscriptions
from mcp_server.offer import Offer
from mcp_server.server import ScopedServer
from mcp_server.subscriptions import UpdateBus
from tests.mcp_server.calling import WISH, answer
from tests.mcp_server.conftest import MODES
from tests.mcp_server.served import served
from tests.tools.small_grid import ANA, SmallGrid

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")]
in_both_eras = pytest.mark.parametrize("mode", MODES)
everywhere = pytest.mark.parametrize("over", ["memory", "http"])

STATUS, TELEMETRY = "grid://status", "grid://sites/area/telemetry"
READY = "test://ready"
FORECAST, BATTERY = "grid://sites/area/forecast", "grid://assets/battery"


@dataclass
class Told:
    """What a client was told, counted, and a way to wait for more."""

    counts: Counter[str] = field(default_factory=Counter)
    _more: anyio.Event = field(default_factory=anyio.Event)

    def hear(self, uri: str) -> None:
        self.counts[uri] += 1
        self._more.set()
        self._more = anyio.Event()

    async def until(self, done: Callable[[Counter[str]], bool]) -> None:
        with anyio.fail_after(20):  # only a failing test waits that long
            while not done(self.counts):
                await self._more.wait()

    async def exactly(self, *uris: str) -> None:
        """Wait until these were told, each once, and nothing else was; then forget them."""
        await self.until(lambda counts: all(counts[uri] for uri in uris))
        del self.counts[READY]
        assert self.counts == Counter(uris)
        self.counts.clear()


@asynccontextmanager
async def watching(
    server: ScopedServer, mode: str, over: str, uris: list[str]
) -> AsyncIterator[tuple[Client, Told]]:
    """A client that is subscribed to these resources."""
    told = Told()

    async def hear(message: object) -> None:
        if mode == "legacy" and isinstance(message, ResourceUpdatedNotification):
            told.hear(str(message.params.uri))

    async with reached(server, over) as target, Client(target, mode=mode, message_handler=hear) as client:
        if mode == "legacy":
            for uri in [*uris, READY]:
                await client.subscribe_resource(uri)
            while not told.counts[READY]:  # over HTTP it hears nothing before its own stream is open
                await server.bus.publish(ResourceUpdated(READY))
            yield client, told
            return
        async with client.listen(resource_subscriptions=uris) as events, anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for event in events:
                    assert isinstance(event, ResourceUpdated)
                    told.hear(event.uri)

            tasks.start_soon(listen)
            yield client, told
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def reached(server: ScopedServer, over: str) -> AsyncIterator[Any]:
    if over == "memory":
        yield server
        return
    async with served(server) as url:
        yield url


@in_both_eras
@everywhere
async def test_a_new_pulse_is_told_to_those_who_watch_what_it_changes(
    plant: SmallGrid, mode: str, over: str
) -> None:
    server = plant.workplace.server_for(ANA)
    watched = [STATUS, TELEMETRY, FORECAST, BATTERY, "grid://limits"]
    changing = watched[:-1]
    async with watching(server, mode, over, watched) as (_, told):
        await server.watcher.look()  # at the first look everything is new
        await told.exactly(*changing)
        await server.watcher.look()  # nothing happened
        plant.advance()
        await server.watcher.look()
        await told.exactly(*changing)


@in_both_eras
@everywhere
async def test_a_dispatch_is_told_and_so_is_nothing_else(plant: SmallGrid, mode: str, over: str) -> None:
    server = plant.workplace.server_for(ANA)
    number = "grid://dispatches/1"
    async with watching(server, mode, over, [number, STATUS]) as (client, told):
        await server.watcher.look()
        await told.exactly(STATUS)
        await answer(client, "discharge_battery", **WISH)
        await server.watcher.look()  # it is not carried out yet
        plant.owner.act()
        await server.watcher.look()
        await told.exactly(number, STATUS)


@in_both_eras
async def test_a_halt_is_told_to_those_who_watch_the_status(plant: SmallGrid, mode: str) -> None:
    server = plant.workplace.server_for(ANA)
    async with watching(server, mode, "memory", [STATUS, TELEMETRY]) as (_, told):
        await server.watcher.look()
        await told.exactly(STATUS, TELEMETRY)
        halt(plant.ledger, ANA, "a test", plant.clock.now())
        await server.watcher.look()
        await told.exactly(STATUS)


@in_both_eras
async def test_silence_is_told_once_telemetry_counts_as_stale(plant: SmallGrid, mode: str) -> None:
    server = plant.workplace.server_for(ANA)
    async with watching(server, mode, "memory", [TELEMETRY]) as (_, told):
        await server.watcher.look()
        await told.exactly(TELEMETRY)
        plant.clock.advance_to(plant.newest().ts_utc + timedelta(seconds=800))
        await server.watcher.look()
        plant.clock.advance_to(plant.newest().ts_utc + timedelta(seconds=1000))
        await server.watcher.look()
        await told.exactly(TELEMETRY)


async def test_an_earlier_client_may_unsubscribe(plant: SmallGrid) -> None:
    server = plant.workplace.server_for(ANA)
    async with watching(server, "legacy", "memory", [STATUS, TELEMETRY]) as (client, told):
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.resources.subscribe
        await client.unsubscribe_resource(TELEMETRY)
        await server.watcher.look()
        await told.exactly(STATUS)


@in_both_eras
@everywhere
async def test_while_nobody_watches_nobody_looks(
    plant: SmallGrid, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str, over: str
) -> None:
    server = plant.workplace.server_for(ANA)
    async with watching(server, mode, over, [STATUS]) as (_, told):
        await server.watcher.look()
        await told.exactly(STATUS)
    break_store(tmp_path)
    await server.watcher.look()
    assert "subscribers are not told" not in caplog.text


@in_both_eras
async def test_a_broken_store_is_logged_once_and_subscribers_hear_of_it_when_it_is_mended(
    plant: SmallGrid, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    server = plant.workplace.server_for(ANA)
    async with watching(server, mode, "memory", [TELEMETRY]) as (_, told):
        await server.watcher.look()
        await told.exactly(TELEMETRY)
        break_store(tmp_path)
        await server.watcher.look()
        await server.watcher.look()
        assert caplog.text.count("subscribers are not told what changes: ") == 1
        break_store(tmp_path, mend=True)
        plant.advance()
        await server.watcher.look()
        await told.exactly(TELEMETRY)


def break_store(folder: Path, *, mend: bool = False) -> None:
    (path,) = folder.rglob("telemetry.db")
    names = ("hidden", "telemetry") if mend else ("telemetry", "hidden")
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"ALTER TABLE {names[0]} RENAME TO {names[1]}")


@in_both_eras
@everywhere
async def test_a_server_that_runs_looks_by_itself(plant: SmallGrid, mode: str, over: str) -> None:
    server = plant.workplace.server_for(ANA, Offer(watch_s=0.005))
    async with watching(server, mode, over, [TELEMETRY]) as (_, told):
        await told.until(lambda counts: counts[TELEMETRY] >= 1)
        plant.advance()
        await told.until(lambda counts: counts[TELEMETRY] >= 2)


class Stuck:
    """A connection whose client stopped reading."""

    def __init__(self) -> None:
        self.exit_stack = SimpleNamespace(callback=lambda *_: None)

    async def notify(self, _method: str, _params: object) -> None:
        await anyio.sleep_forever()


def request_of(connection: object) -> Any:
    return SimpleNamespace(session=SimpleNamespace(_connection=connection))


async def test_a_client_that_stopped_reading_does_not_silence_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriptions, "PATIENCE_S", 0.01)
    bus, heard = UpdateBus(), []
    await bus.follow(request_of(Stuck()), SubscribeRequestParams(uri=STATUS))
    reads = Stuck()

    async def notify(method: str, params: dict[str, str]) -> None:
        heard.append((method, params["uri"]))

    reads.notify = cast(Any, notify)  # type: ignore[method-assign]
    await bus.follow(request_of(reads), SubscribeRequestParams(uri=STATUS))
    await bus.publish(ResourceUpdated(STATUS))
    assert heard == [("notifications/resources/updated", STATUS)]


async def test_a_connection_cannot_fill_the_memory_with_subscriptions() -> None:
    bus, connection = UpdateBus(), Stuck()
    for number in range(subscriptions.MOST_FOLLOWED):
        await bus.follow(request_of(connection), SubscribeRequestParams(uri=f"grid://dispatches/{number}"))
    with pytest.raises(MCPError, match="follows 1000 resources already"):
        await bus.follow(request_of(connection), SubscribeRequestParams(uri=STATUS))
