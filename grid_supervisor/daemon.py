"""The daemon: lets the supervisor tick once in each interval, for as long as it holds its lease."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from grid_supervisor.results import TickResult
from grid_supervisor.supervisor import Supervisor

_log = logging.getLogger(__name__)


class Daemon:
    """Drives a supervisor by the plant's clock.

    Args:
        supervisor: the loops.
        interval_start: start of the interval that the plant has come to; None while there is no plant.
        keep: at every step, before anything else: keeps the lease and looks at what may stop the loops;
            raises when the lease was lost, which ends the daemon.
        told: who else is told what a tick did; they must not wait.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        interval_start: Callable[[], datetime | None],
        keep: Callable[[], None],
        told: Sequence[Callable[[TickResult], None]] = (),
    ) -> None:
        self._supervisor = supervisor
        self._interval_start = interval_start
        self._keep = keep
        self._told = told
        self._acted_on: datetime | None = None

    async def step(self) -> TickResult | None:
        """Tick if a new interval has begun; what the loops did, None when there was nothing to do."""
        self._keep()
        interval = self._interval_start()
        if interval is None or interval == self._acted_on:
            return None
        result = await self._supervisor.tick()
        self._acted_on = interval
        for loop in result.loops:
            _log.info("%s %s: %s %s", interval.isoformat(), loop.loop, loop.outcome, loop.reason)
            for action in loop.actions:
                _log.info("%s %s %s: %s", loop.loop, action.asset, action.status, action.reason)
        for tell in self._told:
            tell(result)
        return result
