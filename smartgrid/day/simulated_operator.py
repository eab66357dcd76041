"""The demo's duty operator: approves each request after two minutes, through the same desk as people."""

from datetime import datetime, timedelta

from dispatch.approvals import Approvals
from policies.principal import operator_principal

DECIDES_AFTER = timedelta(seconds=120)
OPERATOR = operator_principal("simulated-duty-operator")


class SimulatedOperator:
    """Marked as such in the audit, the ledger and the report."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    def next_due(self) -> datetime | None:
        """When the next decision is due; None while nothing waits."""
        return min(
            (asked.created_at + DECIDES_AFTER for asked in self._approvals.list("PENDING")), default=None
        )

    def decide(self, now: datetime) -> None:
        """Approve what has waited long enough."""
        for asked in self._approvals.list("PENDING"):
            if asked.created_at + DECIDES_AFTER <= now:
                self._approvals.approve(asked.approval_id, OPERATOR, "simulated duty operator: approved")
