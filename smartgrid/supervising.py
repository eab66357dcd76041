"""Opens the supervisor over a workplace: one MCP connection a loop, each bound to its principal."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from mcp import Client

from dispatch.lease import SUPERVISOR, Lease
from dispatch.supervision import Heartbeat, write_heartbeat
from grid_supervisor.daemon import Daemon
from grid_supervisor.errors import SupervisorError
from grid_supervisor.results import TickResult
from grid_supervisor.supervisor import POLICIES, Supervisor
from policies.principal import RESPONSE, SCOPE_READ, TRADING
from smartgrid.area import Workplace
from smartgrid.errors import RoleError
from smartgrid.halt_file import obey_halt_file
from smartgrid.process_lease import take
from smartgrid.settings import Settings
from smartgrid.watchdog import Watchdog

LOOPS = {"response": RESPONSE, "trading": TRADING}
Told = Callable[[TickResult], None]

logger = logging.getLogger(__name__)


def parse_loops(text: str) -> tuple[str, ...]:
    """Loop names of a comma-separated option; ``none`` gives none.

    Raises:
        SupervisorError: for a name that is not known.
    """
    if text == "none":
        return ()
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in POLICIES:
            raise SupervisorError(f"--loops: no loop {name!r}; choose from {', '.join(POLICIES)}, or none")
    return names


async def open_supervisor(
    stack: AsyncExitStack,
    workplace: Workplace,
    loops: Sequence[str],
    settles_at: datetime | None = None,
    *,
    saver: BaseCheckpointSaver[Any] | None = None,
    shadow: bool = False,
) -> Supervisor:
    """A supervisor whose connections live as long as ``stack``.

    Args:
        stack: closes the connections.
        workplace: whose servers it calls.
        loops: those to run.
        settles_at: when the accounts close; None without an end.
        saver: keeps what waits for an operator; memory where None.
        shadow: the loops may read, and lack the scope to dispatch.
    """
    principals = {name: LOOPS[name] for name in loops}
    if shadow:
        readers = frozenset({SCOPE_READ})
        principals = {name: replace(who, scopes=readers) for name, who in principals.items()}
    clients = {
        name: await stack.enter_async_context(Client(workplace.server_for(who)))
        for name, who in principals.items()
    }
    return Supervisor(clients, saver or InMemorySaver(), settles_at=settles_at, shadow=shadow)


async def open_saver(stack: AsyncExitStack, path: Path) -> AsyncSqliteSaver:
    """Threads in a database of their own, that outlive the process; after a power cut the last may be gone.

    Raises:
        RoleError: if the file cannot be used.
    """
    try:
        connection = await stack.enter_async_context(aiosqlite.connect(path))
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        await connection.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.Error as error:
        raise RoleError(
            f"{path}: cannot be used ({error}); move it away: what waits for an operator is asked for anew"
        ) from error
    return saver


async def open_daemon(
    stack: AsyncExitStack,
    workplace: Workplace,
    settings: Settings,
    loops: Sequence[str],
    interval_start: Callable[[], datetime | None],
) -> Daemon:
    """A daemon that holds the supervisor's lease as long as ``stack``.

    Raises:
        RoleError: if another process runs the loops, or the saved threads cannot be used.
    """
    lease = take(stack, workplace.ledger, SUPERVISOR)
    return await lead(stack, workplace, settings, loops, interval_start=interval_start, lease=lease)


async def lead(
    stack: AsyncExitStack,
    workplace: Workplace,
    settings: Settings,
    loops: Sequence[str],
    *,
    interval_start: Callable[[], datetime | None],
    lease: Lease,
    told: Sequence[Told] = (),
) -> Daemon:
    """A daemon over a lease that is held already.

    Args:
        stack: closes what it opens.
        workplace: the area.
        settings: state directory, shadow mode and watchdog.
        loops: those to run.
        interval_start: the interval that the plant has come to.
        lease: on the supervisor's role.
        told: who is told what each tick did.

    Raises:
        RoleError: if the saved threads cannot be used.
    """
    saver = await open_saver(stack, settings.supervisor_db)
    supervisor = await open_supervisor(stack, workplace, loops, saver=saver, shadow=settings.shadow)
    keep = _keeper(workplace, settings, loops, lease)
    if settings.shadow:
        told = (_shadow_recorder(workplace), *told)
    return Daemon(supervisor, interval_start, keep, told)


def _keeper(
    workplace: Workplace, settings: Settings, loops: Sequence[str], lease: Lease
) -> Callable[[], None]:
    """What is done at every step: lease and heartbeat, the halt file, the watchdog."""
    ledger, clock, limits = workplace.ledger, workplace.clock, workplace.area.limits
    limit_s = max(settings.watchdog_s, limits.max_age_s)
    watchdog = Watchdog(ledger, clock, workplace.observer.telemetry_age_s, limit_s)
    beat = Heartbeat(lease.owner, 0.0, "shadow" if settings.shadow else "live", tuple(loops))

    def keep() -> None:
        with ledger.transaction() as transaction:
            lease.renew(transaction.connection)
            write_heartbeat(transaction.connection, replace(beat, wall_s=lease.wall_s()))
        if obey_halt_file(settings.state, ledger, clock.now()):
            logger.warning("the autonomy is halted: the halt file is there")
        watchdog.look()

    return keep


def _shadow_recorder(workplace: Workplace) -> Told:
    """Writes into the audit trail what each loop would have done."""

    def record(result: TickResult) -> None:
        decisions = [(loop.loop, action) for loop in result.loops for action in loop.actions]
        if not decisions:
            return
        now = workplace.clock.now()
        with workplace.ledger.transaction() as transaction:
            for name, action in decisions:
                payload = {
                    "asset": action.asset,
                    "power_kw": action.power_kw,
                    "reason": action.reason,
                    "would": action.detail,
                    "expected_gain_usd": action.expected_gain_usd,
                }
                transaction.audit(now, "shadow_decision", LOOPS[name].subject, payload)

    return record
