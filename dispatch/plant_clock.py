"""The plant's clock as the ledger keeps it, so that every process decides by the same time.

The owner writes plant time, wall time and the pace between them. Other processes go on from there by
wall time: when the owner stops, plant time still runs and its telemetry grows old, as it should.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from dispatch.errors import NoLedgerError
from dispatch.flags import get_flag, set_flag
from dispatch.ledger import Ledger
from dispatch.schema import utc_text

PLANT_CLOCK = "plant_clock"


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The plant's clock at one moment of wall time.

    Attributes:
        plant: the plant's time.
        wall_s: wall time in seconds since 1970.
        pace: seconds of the plant per second of wall time.
    """

    plant: datetime
    wall_s: float
    pace: float

    def at(self, wall_s: float) -> datetime:
        """The plant's time at a moment of wall time; it does not go back."""
        return self.plant + timedelta(seconds=max(0.0, wall_s - self.wall_s) * self.pace)


def write_plant_clock(connection: Connection, reading: ClockReading) -> None:
    """Write the reading inside the caller's transaction."""
    value = {"plant": utc_text(reading.plant), "wall_s": reading.wall_s, "pace": reading.pace}
    set_flag(connection, PLANT_CLOCK, value)


def plant_clock_of(connection: Connection) -> ClockReading | None:
    """The owner's newest reading, or None before its first tick."""
    value = get_flag(connection, PLANT_CLOCK)
    if not isinstance(value, dict):
        return None
    return ClockReading(datetime.fromisoformat(value["plant"]), value["wall_s"], value["pace"])


class LedgerClock:
    """The plant's clock (:class:`grid.clock.Clock`) in a process that does not own the plant."""

    def __init__(self, ledger: Ledger, wall_s: Callable[[], float]) -> None:
        """Read the plant's clock from ``ledger``; ``wall_s`` is e.g. ``time.time``."""
        self._ledger = ledger
        self._wall_s = wall_s

    def now(self) -> datetime:
        """The plant's time.

        Raises:
            LedgerError: before the plant's owner has ticked once.
        """
        with self._ledger.reading() as connection:
            reading = plant_clock_of(connection)
        if reading is None:
            raise NoLedgerError(self._ledger.name)
        return reading.at(self._wall_s())
