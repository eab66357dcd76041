"""How long a call takes, tool by tool in turn, and which parts of it are not the centre's."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from mcp import Client
from mcp.server import MCPServer

from mcp_server.server import build_server
from smartgrid.bench.server_subjects import (
    ADDENDS,
    ERAS,
    SUBJECTS,
    TRIVIAL,
    Address,
    bare_server,
    every_tool,
    listening,
)
from smartgrid.bench.stream_worker import BenchError
from tools.contract import Tool, ToolContext

BARE = "bare server"
TRANSPORTS = ("memory", "http")

ContextFor = Callable[[], ToolContext]
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class CallTimes:
    """Calls of one tool through a client.

    Attributes:
        transport: ``memory`` or ``http``.
        era: protocol revision.
        subject: the bare server's trivial tool, or a tool on our server.
        ratio: of the medians, to the bare server's in the same rounds.
    """

    transport: str
    era: str
    subject: str
    calls: int
    p50_ms: float
    p99_ms: float
    ratio: float


@dataclass(frozen=True, slots=True)
class PartTimes:
    """Medians of the parts of a call that neither the centre nor the transport adds.

    Attributes:
        work_ms: the tool as the plain function that it is.
        check_ms: the client checks the answer against the tool's published schema.
    """

    subject: str
    work_ms: float
    check_ms: float


async def measure_calls(
    context_for: ContextFor, rounds: int, warm_up: int, say: Callable[[str], None]
) -> AsyncIterator[CallTimes]:
    """Every transport and era; each round calls each tool once, so that a slow moment slows all of them."""
    bare, ours = bare_server(), build_server(every_tool().values(), context_for)
    for transport in TRANSPORTS:
        async with _reached(bare, transport) as beside, _reached(ours, transport) as centre:
            for era, mode in ERAS.items():
                say(f"calls: {transport}, {era}")
                async with Client(beside, mode=mode) as first, Client(centre, mode=mode) as second:
                    times = await _in_turn(_calls(first, second), rounds, warm_up)
                base_ms = percentile_ms(times[BARE], 50)
                for subject, taken in times.items():
                    p50, p99 = percentile_ms(taken, 50), percentile_ms(taken, 99)
                    yield CallTimes(transport, era, subject, rounds, p50, p99, p50 / base_ms)


async def measure_parts(context_for: ContextFor, rounds: int, warm_up: int) -> list[PartTimes]:
    """Each tool as a function, and the client's check of its answer."""
    tools = every_tool()
    parts: dict[str, Call] = {}
    async with Client(build_server(tools.values(), context_for)) as client:
        for name, arguments in SUBJECTS.items():
            answer = await client.call_tool(name, arguments)
            parts[f"work {name}"] = _work(tools[name], arguments, context_for)
            parts[f"check {name}"] = partial(client.session.validate_tool_result, name, answer)
        times = await _in_turn(parts, rounds, warm_up)
    return [
        PartTimes(name, percentile_ms(times[f"work {name}"], 50), percentile_ms(times[f"check {name}"], 50))
        for name in SUBJECTS
    ]


@asynccontextmanager
async def _reached(server: MCPServer[Any], transport: str) -> AsyncIterator[Address]:
    if transport == "memory":
        yield server
        return
    async with listening(server) as url:
        yield url


def _calls(bare: Client, ours: Client) -> dict[str, Call]:
    calls: dict[str, Call] = {BARE: partial(_call, bare, TRIVIAL, ADDENDS)}
    return calls | {name: partial(_call, ours, name, arguments) for name, arguments in SUBJECTS.items()}


async def _call(client: Client, name: str, arguments: dict[str, Any]) -> None:
    """Call a tool.

    Raises:
        BenchError: when it answers with an error: its time would mean nothing.
    """
    answer = await client.call_tool(name, arguments)
    if answer.is_error:
        raise BenchError(f"{name}: {answer.content}")


def _work(tool: Tool, arguments: dict[str, Any], context_for: ContextFor) -> Call:
    request = tool.input_model.model_validate(arguments)
    return lambda: tool.run(request, context_for())


async def _in_turn(calls: dict[str, Call], rounds: int, warm_up: int) -> dict[str, list[float]]:
    """Seconds of each call in each round after the warm-up."""
    times: dict[str, list[float]] = {subject: [] for subject in calls}
    for number in range(warm_up + rounds):
        for subject, call in calls.items():
            begun = time.perf_counter()
            await call()
            if number >= warm_up:
                times[subject].append(time.perf_counter() - begun)
    return times


def percentile_ms(times_s: Sequence[float], percent: float) -> float:
    """A percentile of durations in s, in ms."""
    return 1e3 * float(np.percentile(times_s, percent))
