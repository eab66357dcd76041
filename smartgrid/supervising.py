"""Opens the supervisor over a workplace: one MCP connection a loop, each bound to its principal."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime

from langgraph.checkpoint.memory import InMemorySaver
from mcp import Client

from dispatch.lease import SUPERVISOR
from grid_supervisor.daemon import Daemon
from grid_supervisor.errors import SupervisorError
from grid_supervisor.supervisor import POLICIES, Supervisor
from policies.principal import RESPONSE, TRADING
from smartgrid.area import Workplace
from smartgrid.process_lease import take

LOOPS = {"response": RESPONSE, "trading": TRADING}


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
    stack: AsyncExitStack, workplace: Workplace, loops: Sequence[str], settles_at: datetime | None = None
) -> Supervisor:
    """A supervisor whose connections live as long as ``stack``."""
    clients = {
        name: await stack.enter_async_context(Client(workplace.server_for(LOOPS[name]))) for name in loops
    }
    return Supervisor(clients, InMemorySaver(), settles_at=settles_at)


async def open_daemon(
    stack: AsyncExitStack,
    workplace: Workplace,
    loops: Sequence[str],
    interval_start: Callable[[], datetime | None],
) -> Daemon:
    """A daemon that holds the supervisor's lease as long as ``stack``.

    Raises:
        RoleError: if another process runs the loops.
    """
    lease = take(stack, workplace.ledger, SUPERVISOR)
    supervisor = await open_supervisor(stack, workplace, loops)

    def renew() -> None:
        with workplace.ledger.transaction() as transaction:
            lease.renew(transaction.connection)

    return Daemon(supervisor, interval_start, renew)
