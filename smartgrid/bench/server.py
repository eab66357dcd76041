"""What the centre costs: calls beside a bare MCP server, many clients at once, a tick of the supervisor."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from mcp_server.server import build_server
from policies.principal import local_principal
from smartgrid.bench.server_calls import CallTimes, PartTimes, measure_calls, measure_parts, percentile_ms
from smartgrid.bench.server_crowd import Crowd, measure_crowd
from smartgrid.bench.server_subjects import ERAS, every_tool
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.settings import Settings
from smartgrid.supervising import LOOPS, open_supervisor
from tools.contract import ToolContext
from tools.intervals import interval_start

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How much is measured.

    Attributes:
        rounds: calls of each tool, in turn.
        warm_up: rounds before them that are not counted.
        ticks: of the supervisor, one at the start of each of the plant's intervals.
        clients: at once, over HTTP.
        calls_each: calls of each of them.
    """

    rounds: int = 300
    warm_up: int = 40
    ticks: int = 30
    clients: int = 100
    calls_each: int = 8


@dataclass(frozen=True, slots=True)
class TickTimes:
    """Ticks of both loops in memory, over the plant as ``up`` embeds it, pulses every 5 s.

    Attributes:
        blocked: loops that had to do nothing; a tick that is blocked is quick and says little.
    """

    ticks: int
    blocked: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class ServerResult:
    """All that was measured in one run."""

    calls: tuple[CallTimes, ...]
    parts: tuple[PartTimes, ...]
    crowds: tuple[Crowd, ...]
    tick: TickTimes


async def bench_server(settings: Settings, plan: ServerPlan, say: Say) -> ServerResult:
    """Measure over the embedded plant of ``settings.state``, clients and servers in this one process.

    Args:
        settings: of the plant; a model is trained where its state has none.
        plan: how much.
        say: told what happens.
    """
    say("opening the plant; where there is no model, one is trained")
    async with EmbeddedPlant(settings, ()) as plant:
        principal = local_principal("bench")

        def context() -> ToolContext:
            return plant.workplace.context(principal)

        calls = [row async for row in measure_calls(context, plan.rounds, plan.warm_up, say)]
        parts = await measure_parts(context, plan.rounds, plan.warm_up)
        crowds = []
        for era in ERAS:
            say(f"{plan.clients} clients at once: {era}")
            server = build_server(every_tool().values(), context)
            crowds.append(await measure_crowd(server, era, plan.clients, plan.calls_each))
        say(f"{plan.ticks} ticks of the supervisor")
        tick = await _measure_ticks(plant, plan.ticks)
    return ServerResult(tuple(calls), tuple(parts), tuple(crowds), tick)


async def _measure_ticks(plant: EmbeddedPlant, ticks: int) -> TickTimes:
    """Both loops at the start of each interval; the plant's pulses between are not counted."""
    workplace, times_s, blocked = plant.workplace, list[float](), 0
    async with AsyncExitStack() as stack:
        supervisor = await open_supervisor(stack, workplace, tuple(LOOPS))
        for _ in range(ticks):
            await _next_interval(plant)
            begun = time.perf_counter()
            result = await supervisor.tick()
            times_s.append(time.perf_counter() - begun)
            blocked += sum(loop.outcome == "blocked" for loop in result.loops)
    return TickTimes(ticks, blocked, percentile_ms(times_s, 50), percentile_ms(times_s, 99))


async def _next_interval(plant: EmbeddedPlant) -> None:
    limits, clock = plant.workplace.area.limits, plant.workplace.clock
    passed = interval_start(clock.now(), limits.interval_s)
    while interval_start(clock.now(), limits.interval_s) == passed:
        await plant.step()
