"""The alarm of a plant's owner whose devices do not answer: in the log, and in the audit trail."""

import logging
from datetime import datetime

from dispatch.lease import Lease
from dispatch.ledger import Ledger
from grid.clock import Clock
from grid.drivers import DriverError

ACTOR = "owner"

logger = logging.getLogger(__name__)


class DeviceAlarm:
    """Raised once when the devices are lost, ended once when they are back.

    Args:
        ledger: where it is recorded.
        clock: the plant's time.
        lease: on the plant; kept while nothing else renews it.
    """

    def __init__(self, ledger: Ledger, clock: Clock, lease: Lease) -> None:
        self._ledger, self._clock, self._lease = ledger, clock, lease
        self._since: datetime | None = None

    def tell(self, problem: DriverError | None) -> None:
        """Say how the last look at the devices ended.

        Raises:
            LeaseLostError: when another process took the plant over meanwhile.
        """
        if problem is None:
            self._end()
            return
        if self._since is None:
            self._since = self._clock.now()
            logger.error(
                "ALARM, the plant's devices cannot be used: %s. They go to their safe state by their own "
                "time-out; tried again until they are back",
                problem,
            )
            self._record("device_lost", problem=str(problem))
            return
        with self._ledger.transaction() as transaction:
            self._lease.renew(transaction.connection)

    def _end(self) -> None:
        if self._since is not None:
            away_s = (self._clock.now() - self._since).total_seconds()
            self._since = None
            logger.warning("the plant's devices are back after %.0f s of the plant's time", away_s)
            self._record("device_back", away_s=away_s)

    def _record(self, kind: str, **payload: object) -> None:
        with self._ledger.transaction() as transaction:
            self._lease.renew(transaction.connection)
            transaction.audit(self._clock.now(), kind, ACTOR, payload)
