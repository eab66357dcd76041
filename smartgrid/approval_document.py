"""A request for approval as JSON, the same on the command line and in a notification."""

from dispatch.approvals import Approval
from dispatch.findings import to_json


def approval_document(asked: Approval) -> dict[str, object]:
    """All that a person needs to decide, and what was decided. Powers in kW, positive injects."""
    return {
        "approval_id": asked.approval_id,
        "state": asked.state,
        "requester": asked.requester,
        "tool": asked.tool,
        "arguments": dict(asked.arguments),
        "asset": asked.asset,
        "power_kw": asked.power_kw,
        "duration_s": asked.duration_s,
        "reason": asked.reason,
        "expected_effect": asked.expected_effect,
        "expected_cost_usd": asked.expected_cost_usd,
        "event_id": asked.event_id,
        "forecast_issued_at": asked.forecast_issued_at,
        "rules": [finding.rule for finding in asked.findings],
        "findings": to_json(asked.findings),
        "created_at": asked.created_at.isoformat(),
        "expires_at": asked.expires_at.isoformat(),
        "decided_by": asked.decided_by,
        "decided_at": None if asked.decided_at is None else asked.decided_at.isoformat(),
        "decision_reason": asked.decision_reason,
        "same_person": asked.same_person,
    }
