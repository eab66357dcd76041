"""``smartgrid supervise``: leads while it holds the lease, stands by while another process does."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import anyio

from dispatch.errors import LeaseLostError, LedgerError
from dispatch.lease import SUPERVISOR, Lease
from dispatch.ledger import Ledger
from grid_supervisor.daemon import Daemon
from smartgrid.area import Workplace
from smartgrid.joined import plant_interval_start
from smartgrid.process_lease import LEASE_S, process_name
from smartgrid.settings import Settings
from smartgrid.supervising import Told, lead

POLL_S = 1.0
"""Of wall time, between two looks at the plant's clock, and at the lease."""

Say = Callable[[str], None]

logger = logging.getLogger(__name__)


def ledger_problem(ledger: Ledger) -> str | None:
    """Why the ledger cannot be read now; None where it can. From any thread."""
    try:
        with ledger.reading():
            return None
    except LedgerError as error:
        return str(error)


class StandBy:
    """Runs the loops on a plant that another process owns, whenever nobody else does.

    Args:
        workplace: the area.
        settings: state directory, shadow mode and watchdog.
        loops: those to run.
        say: told what it does.
        told: told what each tick did.
        came_round: told at every look, whether it leads or stands by.
        wall_s: wall time in s; leases count it.
    """

    def __init__(
        self,
        workplace: Workplace,
        settings: Settings,
        loops: Sequence[str],
        *,
        say: Say,
        told: Sequence[Told] = (),
        came_round: Callable[[], None] = lambda: None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._workplace = workplace
        self._settings = settings
        self._loops = loops
        self._say = say
        self._told = told
        self._came_round = came_round
        self._wall_s = wall_s

    async def run(self, stopped: anyio.Event, pause: Callable[[], Awaitable[None]] | None = None) -> None:
        """Until ``stopped`` is set: a tick that has begun is finished, and the lease given back.

        Args:
            stopped: looked at between two steps.
            pause: waits between two looks; :data:`POLL_S`, or until ``stopped``, where None.

        Raises:
            RoleError: if the saved threads cannot be used.
        """

        async def poll() -> None:
            self._came_round()
            with anyio.move_on_after(POLL_S):
                await stopped.wait()

        pause = pause or poll
        while not stopped.is_set():
            try:
                async with AsyncExitStack() as stack:
                    lease = await self._stand_by(stack, stopped, pause)
                    if lease is not None:
                        await self._lead(stack, lease, stopped, pause)
            except LedgerError as error:
                logger.warning("the ledger is away: %s", error)
                await pause()

    async def _stand_by(
        self, stack: AsyncExitStack, stopped: anyio.Event, pause: Callable[[], Awaitable[None]]
    ) -> Lease | None:
        """The lease, once nobody else holds it; None when told to stop before."""
        lease = Lease(self._workplace.ledger, process_name(), self._wall_s, LEASE_S, SUPERVISOR)
        leader = None
        while not stopped.is_set():
            if lease.acquire():
                stack.callback(lease.release)
                return lease
            if lease.holder() != leader:
                leader = lease.holder()
                self._say(f"stands by: process {leader} has the supervisor")
            await pause()
        return None

    async def _lead(
        self, stack: AsyncExitStack, lease: Lease, stopped: anyio.Event, pause: Callable[[], Awaitable[None]]
    ) -> None:
        workplace = self._workplace
        daemon = await lead(
            stack,
            workplace,
            self._settings,
            self._loops,
            interval_start=lambda: plant_interval_start(workplace),
            lease=lease,
            told=self._told,
        )
        how = "in shadow mode, " if self._settings.shadow else ""
        self._say(f"supervises {self._settings.state}: {how}{', '.join(self._loops)}; stop with Ctrl-C")
        try:
            await self._drive(daemon, stopped, pause)
        except (LeaseLostError, LedgerError) as error:  # the first: it was held up for longer than its lease
            logger.warning("no longer the leader: %s", error)

    async def _drive(
        self, daemon: Daemon, stopped: anyio.Event, pause: Callable[[], Awaitable[None]]
    ) -> None:
        while not stopped.is_set():
            result = await daemon.step()
            for loop in result.loops if result is not None else ():
                self._say(f"{loop.interval_start} {loop.loop}: {loop.outcome} {loop.reason}")
            await pause()
