"""The daemon: lets the supervisor tick once in each interval, for as long as it holds its lease."""

import logging
from collections.abc import Callable
from datetime import datetime

from grid_supervisor.results import TickResult
from grid_supervisor.supervisor import Supervisor

_log = logging.getLogger(__name__)


class Daemon:
    """Drives a supervisor by the plant's clock.

    Args:
        supervisor: the loops.
        interval_start: start of the interval that the plant has come to; None while there is no plant.
        renew: keeps the lease; raises when it was lost, which ends the daemon.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        interval_start: Callable[[], datetime | None],
        renew: Callable[[], None],
    ) -> None:
        self._supervisor = supervisor
        self._interval_start = interval_start
        self._renew = renew
        self._acted_on: datetime | None = None

    async def step(self) -> TickResult | None:
        """Tick if a new interval has begun; what the loops did, None when there was nothing to do."""
        self._renew()
        interval = self._interval_start()
        if interval is None or interval == self._acted_on:
            return None
        self._acted_on = interval
        result = await self._supervisor.tick()
        for loop in result.loops:
            _log.info("%s %s: %s %s", interval.isoformat(), loop.loop, loop.outcome, loop.reason)
            for action in loop.actions:
                _log.info("%s %s %s: %s", loop.loop, action.asset, action.status, action.reason)
        return result
