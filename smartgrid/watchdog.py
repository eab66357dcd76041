"""The watchdog: without fresh telemetry for a set time, the assets go to their safe state, with an alarm."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from dispatch.ledger import Ledger
from dispatch.supervision import alarm_of, clear_alarm, raise_alarm
from grid.clock import Clock
from pipeline.errors import StoreError

logger = logging.getLogger(__name__)


class Watchdog:
    """Looks at the telemetry's age. The alarm is in the ledger, so it outlives the process that raised it.

    Args:
        ledger: where the alarm is kept and audited.
        clock: the plant's time.
        telemetry_age_s: age of the newest pulse of the site that is silent for longest; None where one
            never spoke.
        limit_s: how old it may be, in s of plant time. What was never measured counts from the first look.
    """

    def __init__(
        self, ledger: Ledger, clock: Clock, telemetry_age_s: Callable[[], float | None], limit_s: float
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._age_s = telemetry_age_s
        self._limit = timedelta(seconds=limit_s)
        self._fresh_at: datetime | None = None

    def look(self) -> None:
        """Raise the alarm, or end it, as the telemetry's age now asks for."""
        now = self._clock.now()
        try:
            age_s = self._age_s()
        except StoreError as error:
            logger.warning("the watchdog cannot read the telemetry: %s", error)
            age_s = None
        if age_s is not None:
            self._fresh_at = now - timedelta(seconds=age_s)
        elif self._fresh_at is None:
            self._fresh_at = now
        silent = now - self._fresh_at
        with self._ledger.reading() as connection:
            standing = alarm_of(connection)
        if silent > self._limit and standing is None:
            reason = f"no fresh telemetry for {silent.total_seconds():.0f} s"
            raise_alarm(self._ledger, reason, now)
            logger.error("watchdog: %s; the assets go to their safe setpoints", reason)
        elif silent <= self._limit and age_s is not None and standing is not None:
            clear_alarm(self._ledger, now)
            logger.warning("telemetry is fresh again: the watchdog's alarm is over")
