"""The dispatch desk behind the tools, on the ledger: the same in the plant's owner and beside it."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Literal, cast

from dispatch.approvals import Approval, Approvals
from dispatch.flags import halt_of
from dispatch.ledger import Ledger
from dispatch.readings import latest_report, local_day
from dispatch.service import DispatchService
from grid.clock import Clock
from policies.limits import PlantLimits
from tools.contract import AssetsView, PendingApproval


class LedgerDesk:
    """A :class:`tools.contract.Desk`."""

    def __init__(
        self, ledger: Ledger, service: DispatchService, limits: PlantLimits, clock: Clock, zone: tzinfo
    ) -> None:
        self._ledger = ledger
        self.propose = service.propose
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
        return AssetsView(today.readings, cycles, today.starts_today)

    def halted(self) -> bool:
        """Whether the autonomy is halted."""
        with self._ledger.reading() as connection:
            return halt_of(connection) is not None

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
