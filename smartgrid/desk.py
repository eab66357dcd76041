"""The dispatch desk behind the tools, on the ledger: the same in the plant's owner and beside it."""

import time
from collections.abc import Sequence
from datetime import tzinfo
from typing import Literal, cast

from dispatch.approvals import Approval, Approvals
from dispatch.decision_record import (
    DecisionRecord,
    dispatch_record,
    dispatches_of,
    proposal_record,
    proposals_of,
)
from dispatch.flags import Halt, halt_of
from dispatch.flags import halt as halt_autonomy
from dispatch.ledger import Ledger
from dispatch.readings import latest_report, local_day
from dispatch.service import DispatchService
from dispatch.supervision import alarm_of, heartbeat_of
from grid.clock import Clock
from policies.limits import PlantLimits
from policies.principal import Principal
from smartgrid.console_link import ConsoleAddress, naming_the_console, no_console
from tools.contract import AssetsView, PendingApproval
from tools.desk import SupervisorView


class LedgerDesk:
    """A :class:`tools.contract.Desk`."""

    def __init__(
        self,
        ledger: Ledger,
        service: DispatchService,
        limits: PlantLimits,
        clock: Clock,
        zone: tzinfo,
        *,
        console: ConsoleAddress = no_console,
    ) -> None:
        self._ledger = ledger
        self.propose = naming_the_console(service.propose, console)
        self._limits = limits
        self._clock = clock
        self._zone = zone
        self._approvals = Approvals(ledger, clock, require_two_people=limits.require_two_people)

    def assets(self) -> AssetsView:
        """What the assets did so far, as the plant's owner last reported it."""
        with self._ledger.reading() as connection:
            report = latest_report(connection)
        if report is None:
            return AssetsView(None, cycles_today=0.0, starts_today=0)
        today = report.on_day(local_day(self._clock.now(), self._zone))
        cycles = today.cell_discharged_today_kwh / self._limits.battery.energy_kwh
        return AssetsView(today.readings, cycles, today.starts_today, today.spent_today_usd)

    def halted(self) -> bool:
        """Whether the autonomy is halted."""
        with self._ledger.reading() as connection:
            return halt_of(connection) is not None

    def halt(self, principal: Principal, reason: str) -> tuple[Halt, bool]:
        """Halt the autonomy; the halt in force, and whether it is new: the first one stands.

        Raises:
            ForbiddenError: without the scope to dispatch or to approve.
        """
        with self._ledger.reading() as connection:
            standing = halt_of(connection)
        if standing is not None:
            return standing, False
        return halt_autonomy(self._ledger, principal, reason, self._clock.now()), True

    def decision(self, *, proposal_id: str | None = None, dispatch_id: str | None = None) -> DecisionRecord:
        """What is on record of a proposal, or of a dispatch; of the newest proposal where neither is named.

        Raises:
            DecisionNotFoundError: when there is no such one, naming the newest.
        """
        with self._ledger.reading() as connection:
            others: tuple[str, ...] = ()
            if dispatch_id is not None:
                dispatch = dispatch_record(connection, dispatch_id)
                made_by = proposals_of(dispatch)
                if not made_by:
                    return DecisionRecord(None, (), None, (dispatch,))
                proposal_id, others = made_by[0], made_by[1:]
            proposal = proposal_record(connection, proposal_id)
            done = dispatches_of(connection, proposal)
        asked = proposal.approval_id
        approval = None if asked is None else self._approvals.get(asked)
        return DecisionRecord(proposal, others, approval, done)

    def supervisor(self) -> SupervisorView | None:
        """The supervisor's last sign of life; None where none has run."""
        with self._ledger.reading() as connection:
            beat, alarm = heartbeat_of(connection), alarm_of(connection)
        if beat is None:
            return None
        reason = None if alarm is None else alarm.reason
        return SupervisorView(beat.mode, beat.age_s(time.time()), reason)

    def approvals(self) -> Sequence[PendingApproval]:
        """Requests that wait, or were decided and not yet carried out; none expired."""
        now = self._clock.now()
        found = self._approvals.list("PENDING", "APPROVED", "DENIED")
        return [_pending(approval) for approval in found if approval.expires_at > now]


def _pending(approval: Approval) -> PendingApproval:
    return PendingApproval(
        approval_id=approval.approval_id,
        state=cast(Literal["pending", "approved", "denied"], approval.state.lower()),
        tool=approval.tool,
        asset=approval.asset,
        power_kw=approval.power_kw,
        duration_s=approval.duration_s,
        requester=approval.requester,
        reason=approval.reason,
        rules=tuple(finding.rule for finding in approval.findings),
        expires_at=approval.expires_at,
    )
