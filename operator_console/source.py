"""Where the console's values come from, and what an operator may do: both given by the wiring."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dispatch.approvals import Approval
from dispatch.audit import AuditReport
from dispatch.ledger import Ledger
from grid.clock import Clock
from pipeline.store import SeriesReader


@dataclass(frozen=True, slots=True)
class ConsoleSource:
    """What is read.

    Attributes:
        reader: telemetry, forecasts, quotes, events, what the assets did.
        ledger: approvals, proposals, dispatches, the assets' reports, a halt.
        clock: the plant's time; ages count by it, and it goes on when the plant's owner stands still.
        wall_s: wall time in s since 1970, by which the supervisor's heartbeat is old or not.
        max_age_s: older values are shown as stale.
        currency: of the prices.
        tz: IANA time zone of the area, for operators whose browser names none.
        battery_energy_kwh: capacity of the battery.
        battery_wear_per_mwh: cost per MWh discharged.
        peaker_running_per_mwh: fuel and upkeep per MWh generated.
    """

    reader: SeriesReader
    ledger: Ledger
    clock: Clock
    wall_s: Callable[[], float]
    max_age_s: float
    currency: str
    tz: str
    battery_energy_kwh: float
    battery_wear_per_mwh: float
    peaker_running_per_mwh: float


class OperatorDesk(Protocol):
    """What an operator may do, each by name (``operator:ana``) and with a reason.

    Every method raises :class:`operator_console.errors.DeskError` when it is refused.
    """

    def approve(self, subject: str, approval_id: str, reason: str) -> Approval:
        """Agree to a request."""
        ...

    def deny(self, subject: str, approval_id: str, reason: str) -> Approval:
        """Refuse a request."""
        ...

    def halt(self, subject: str, reason: str) -> None:
        """Stop all autonomous action; the assets go to their safe setpoints."""
        ...

    def resume(self, subject: str, reason: str) -> None:
        """Let the autonomy act again."""
        ...

    def verify_audit(self) -> AuditReport:
        """Compare the audit's chain, signatures and head file."""
        ...

    def export_audit(self) -> str:
        """The whole audit, one JSON object a line."""
        ...
