"""Many clients at once over HTTP: how many calls fail, and how long the others take."""

import time
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import anyio
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from smartgrid.bench.server_calls import percentile_ms
from smartgrid.bench.server_subjects import ERAS, SUBJECTS, listening


@dataclass(frozen=True, slots=True)
class Crowd:
    """Clients that connect at once and call the tools in turn, in the server's own process.

    Attributes:
        errors: calls that were answered with an error.
        connected_s: from the first client's start until the last had listed the tools.
        calls_per_s: by all of them together, once they were connected.
    """

    era: str
    clients: int
    calls: int
    errors: int
    connected_s: float
    calls_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass
class _Crowding:
    """What the members share."""

    calls_each: int
    connected: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(0))
    go: anyio.Event = field(default_factory=anyio.Event)
    times_s: list[float] = field(default_factory=list)
    errors: int = 0


async def measure_crowd(server: MCPServer[Any], era: str, clients: int, calls_each: int) -> Crowd:
    """Let ``clients`` connect and, when all are there, make ``calls_each`` calls each.

    Raises:
        ExceptionGroup: when a client cannot connect at all.
    """
    crowd = _Crowding(calls_each)
    async with listening(server) as url:
        begun = time.perf_counter()
        async with anyio.create_task_group() as members:
            for _ in range(clients):
                members.start_soon(_member, url, ERAS[era], crowd)
            for _ in range(clients):
                await crowd.connected.acquire()
            all_there = time.perf_counter()
            crowd.go.set()
        took_s = time.perf_counter() - all_there
    return Crowd(
        era=era,
        clients=clients,
        calls=len(crowd.times_s),
        errors=crowd.errors,
        connected_s=all_there - begun,
        calls_per_s=len(crowd.times_s) / took_s,
        p50_ms=percentile_ms(crowd.times_s, 50),
        p99_ms=percentile_ms(crowd.times_s, 99),
    )


async def _member(url: str, mode: str, crowd: _Crowding) -> None:
    async with Client(url, mode=mode) as client:
        await client.list_tools()
        crowd.connected.release()
        await crowd.go.wait()
        for name, arguments in islice(cycle(SUBJECTS.items()), crowd.calls_each):
            begun = time.perf_counter()
            try:
                failed = (await client.call_tool(name, arguments)).is_error
            except MCPError:
                failed = True
            crowd.times_s.append(time.perf_counter() - begun)
            crowd.errors += failed
