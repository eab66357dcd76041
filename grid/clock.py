"""Time for the plant: real, or simulated days that run faster than life.

Everything that asks "when" (proposals, approvals, staleness) asks a :class:`Clock`; nothing
below the wiring reads the machine's time by itself.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from grid.units import require_utc


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that stands still until it is told to move; it never moves backwards."""

    def __init__(self, start: datetime) -> None:
        self._now = require_utc(start, "start")

    def now(self) -> datetime:
        """The simulated time, aware, in UTC."""
        return self._now

    def advance_to(self, moment: datetime) -> None:
        """Move to ``moment``.

        Raises:
            ValueError: if ``moment`` lies in the past.
        """
        moment = require_utc(moment, "moment")
        if moment < self._now:
            raise ValueError(
                f"the clock is at {self._now.isoformat()}, cannot go back to {moment.isoformat()}"
            )
        self._now = moment

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``."""
        self.advance_to(self._now + timedelta(seconds=seconds))
