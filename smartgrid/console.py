"""Wires the operator's console: what it reads, what it may do, who may enter."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dispatch import flags
from dispatch.approvals import Approval, Approvals
from dispatch.audit import AuditReport
from dispatch.audit_log import exported
from dispatch.errors import DispatchError
from dispatch.ledger import Ledger
from dispatch.plant_clock import LedgerClock
from grid.clock import Clock
from operator_console.console import Console
from operator_console.errors import DeskError
from operator_console.requests import Reach
from operator_console.source import ConsoleSource
from policies.principal import Principal, operator_principal
from smartgrid.area import Workplace
from smartgrid.operator_token import ConsoleLinks, OperatorDoor
from smartgrid.settings import Settings
from smartgrid.tokens import TokenStore


class LedgerOperatorDesk:
    """What operators do in the console, done in the ledger with the approve scope and their name.

    Args:
        ledger: where everything is recorded.
        clock: the plant's time.
        require_two_people: whether nobody may decide what the same person asked.
    """

    def __init__(self, ledger: Ledger, clock: Clock, *, require_two_people: bool) -> None:
        self._ledger = ledger
        self._clock = clock
        self._approvals = Approvals(ledger, clock, require_two_people=require_two_people)

    def approve(self, subject: str, approval_id: str, reason: str) -> Approval:
        """Agree to a request."""
        with _refusals():
            return self._approvals.approve(approval_id, _principal(subject), reason)

    def deny(self, subject: str, approval_id: str, reason: str) -> Approval:
        """Refuse a request."""
        with _refusals():
            return self._approvals.deny(approval_id, _principal(subject), reason)

    def halt(self, subject: str, reason: str) -> None:
        """Stop all autonomous action."""
        with _refusals():
            flags.halt(self._ledger, _principal(subject), _said(reason), self._clock.now())

    def resume(self, subject: str, reason: str) -> None:
        """Let the autonomy act again."""
        with _refusals():
            flags.resume(self._ledger, _principal(subject), _said(reason), self._clock.now())

    def verify_audit(self) -> AuditReport:
        """Compare the audit's chain, signatures and head file."""
        return self._ledger.verify_audit()

    def export_audit(self) -> str:
        """The whole audit, one JSON object a line, to be verified elsewhere (docs/ledger.md)."""
        head = self._ledger.newest_head()  # before the entries: what it names has to be among them
        with _refusals(), self._ledger.reading() as connection:
            return "".join(f"{line}\n" for line in exported(connection, head))


def console_of(workplace: Workplace, settings: Settings) -> Console:
    """The console of an area; its time is the ledger's, which goes on when the plant's owner stands still."""
    area, ledger = workplace.area, workplace.ledger
    clock, store = LedgerClock(ledger, time.time), TokenStore(settings.tokens_db)
    limits = area.limits
    source = ConsoleSource(
        reader=workplace.reader,
        ledger=ledger,
        clock=clock,
        wall_s=time.time,
        max_age_s=limits.max_age_s,
        currency=area.currency,
        tz=area.tz,
        battery_energy_kwh=limits.battery.energy_kwh,
        battery_wear_per_mwh=limits.battery.wear_usd_per_mwh,
        peaker_running_per_mwh=limits.peaker.running_usd_per_mwh,
    )
    return Console(
        source,
        LedgerOperatorDesk(ledger, clock, require_two_people=limits.require_two_people),
        OperatorDoor(store, ConsoleLinks(settings.tokens_db)),
        Reach(settings.http_host, settings.http_url),
        idle_s=60.0 * settings.console_idle_min,
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except DispatchError as error:
        raise DeskError(str(error)) from error


def _principal(subject: str) -> Principal:
    return operator_principal(subject.removeprefix("operator:"))


def _said(reason: str) -> str:
    if not reason.strip():
        raise DeskError("say why: the reason is kept in the audit")
    return reason
