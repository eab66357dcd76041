"""What the supervisor leaves in the ledger for others to read: its heartbeat, and the watchdog's alarm."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, update

from dispatch.flags import get_flag, set_flag
from dispatch.ledger import Ledger
from dispatch.schema import flags, proposals, utc_text
from policies.principal import RESPONSE, TRADING

HEARTBEAT = "supervisor"
ALARM = "alarm"
WATCHDOG = "watchdog"
AUTONOMOUS = (RESPONSE.subject, TRADING.subject)

Mode = Literal["live", "shadow"]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The supervisor's last sign of life.

    Attributes:
        owner: its process.
        wall_s: wall time in seconds since 1970.
        mode: ``shadow`` where it actuates nothing.
        loops: those that it runs.
    """

    owner: str
    wall_s: float
    mode: Mode
    loops: tuple[str, ...]

    def age_s(self, wall_s: float) -> float:
        """How long ago it was, in s of wall time; a clock that went back gives 0."""
        return max(0.0, wall_s - self.wall_s)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Since when (plant time) the watchdog keeps the assets in their safe state, and why."""

    at: datetime
    reason: str


def write_heartbeat(connection: Connection, beat: Heartbeat) -> None:
    """Write the heartbeat inside the caller's transaction."""
    value = {"owner": beat.owner, "wall_s": beat.wall_s, "mode": beat.mode, "loops": list(beat.loops)}
    set_flag(connection, HEARTBEAT, value)


def heartbeat_of(connection: Connection) -> Heartbeat | None:
    """The last heartbeat; None where no supervisor has run."""
    value = get_flag(connection, HEARTBEAT)
    if not isinstance(value, dict):
        return None
    return Heartbeat(value["owner"], value["wall_s"], value["mode"], tuple(value["loops"]))


def alarm_of(connection: Connection) -> Alarm | None:
    """The alarm in force, or None."""
    value = get_flag(connection, ALARM)
    if not isinstance(value, dict):
        return None
    return Alarm(datetime.fromisoformat(value["at"]), value["reason"])


def raise_alarm(ledger: Ledger, reason: str, now: datetime) -> None:
    """Withdraw what the autonomy has live, so that the assets go to their safe setpoints.

    What people asked for goes on: they may act on old telemetry, with an approval.
    """
    with ledger.transaction() as transaction:
        connection = transaction.connection
        set_flag(connection, ALARM, {"at": utc_text(now), "reason": reason})
        withdrawn = connection.execute(
            update(proposals)
            .where(proposals.c.state == "LIVE", proposals.c.requester.in_(AUTONOMOUS))
            .values(state="WITHDRAWN")
            .returning(proposals.c.id)
        )
        ids = sorted(withdrawn.scalars())
        transaction.audit(now, "watchdog_alarm", WATCHDOG, {"reason": reason, "withdrawn": ids})


def clear_alarm(ledger: Ledger, now: datetime) -> None:
    """End the alarm."""
    with ledger.transaction() as transaction:
        transaction.connection.execute(delete(flags).where(flags.c.name == ALARM))
        transaction.audit(now, "watchdog_cleared", WATCHDOG, {})
