"""Approvals: a person's agreement to one high-impact call, bound to it, expiring, used once.

A request is bound to the hash of tool, caller's arguments and requester. A decision needs the approve
scope, a reason, and another subject than the requester's. On a single machine ``operator:ana`` may
decide what ``local:ana`` asked (marked ``same_person``), unless two people are required.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, Row, insert, select, update

from dispatch.errors import ApprovalError, ForbiddenError
from dispatch.findings import from_json, to_json
from dispatch.ledger import Ledger, Transaction
from dispatch.schema import approvals
from grid.clock import Clock
from policies.principal import SCOPE_APPROVE, Principal
from policies.proposal import Proposal
from policies.verdict import Finding

ApprovalState = Literal["PENDING", "APPROVED", "DENIED", "CONSUMED", "EXPIRED"]
LONGEST_NUMBER = 9
"""Digits that every database can look for."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for approval, and what became of it. Powers in kW as asked, before any clip."""

    approval_id: str
    state: ApprovalState
    requester: str
    tool: str
    arguments: Mapping[str, object]
    asset: str
    power_kw: float
    duration_s: float
    reason: str
    expected_effect: str
    expected_cost_usd: float | None
    event_id: str | None
    forecast_issued_at: str | None
    findings: tuple[Finding, ...]
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    same_person: bool


class Approvals:
    """The desk where people decide."""

    def __init__(self, ledger: Ledger, clock: Clock, *, require_two_people: bool) -> None:
        self._ledger = ledger
        self._clock = clock
        self._require_two_people = require_two_people

    def newest(self, count: int) -> Sequence[Approval]:
        """The last requests that were made, whatever became of them, the newest first."""
        now = self._clock.now()
        with self._ledger.reading() as connection:
            rows = connection.execute(select(approvals).order_by(approvals.c.id.desc()).limit(count))
            return [_approval(row, now) for row in rows]

    def list(self, *states: ApprovalState) -> list[Approval]:
        """Requests in these states (all when none is given), oldest first."""
        now = self._clock.now()
        asked = select(approvals).order_by(approvals.c.id)
        # One that has run out is stored as it was: whether it still counts is seen when it is read.
        stored = {*states, "PENDING", "APPROVED"} if "EXPIRED" in states else set(states)
        if stored:
            asked = asked.where(approvals.c.state.in_(stored))
        with self._ledger.reading() as connection:
            found = [_approval(row, now) for row in connection.execute(asked)]
        return [approval for approval in found if not states or approval.state in states]

    def get(self, approval_id: str) -> Approval:
        """One request.

        Raises:
            ApprovalError: when there is none of that number.
        """
        with self._ledger.reading() as connection:
            return self._get(connection, approval_id)

    def approve(self, approval_id: str, principal: Principal, reason: str) -> Approval:
        """Agree: the requester may repeat the call once until the request expires.

        Raises:
            ForbiddenError: without the approve scope, or for the requester's own request.
            ApprovalError: when it is unknown, expired or already decided, or the reason is empty.
        """
        return self._decide(approval_id, principal, reason, "APPROVED")

    def deny(self, approval_id: str, principal: Principal, reason: str) -> Approval:
        """Refuse; raises as :meth:`approve` does."""
        return self._decide(approval_id, principal, reason, "DENIED")

    def _decide(
        self, approval_id: str, principal: Principal, reason: str, decision: Literal["APPROVED", "DENIED"]
    ) -> Approval:
        if SCOPE_APPROVE not in principal.scopes:
            raise ForbiddenError(f"{principal.subject} may not decide approvals: needs scope {SCOPE_APPROVE}")
        if not reason.strip():
            raise ApprovalError("reason is empty: say why, it is kept with the decision")
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            asked = self._get(transaction.connection, approval_id)
            same_person = self._check_four_eyes(principal.subject, asked.requester)
            if asked.state != "PENDING":
                raise ApprovalError(f"approval {approval_id} is {asked.state.lower()}, no longer pending")
            transaction.connection.execute(
                update(approvals)
                .where(approvals.c.id == int(approval_id), approvals.c.state == "PENDING")
                .values(
                    state=decision,
                    decided_by=principal.subject,
                    decided_at=now,
                    decision_reason=reason,
                    same_person=same_person,
                )
            )
            transaction.audit(
                now,
                f"approval_{decision.lower()}",
                principal.subject,
                {
                    "approval_id": approval_id,
                    "requester": asked.requester,
                    "reason": reason,
                    "same_person": same_person,
                },
            )
            return self._get(transaction.connection, approval_id)

    def _check_four_eyes(self, approver: str, requester: str) -> bool:
        """Whether approver and requester are one person in two roles; refused where that is not allowed."""
        if approver == requester:
            raise ForbiddenError(f"{approver} asked for this; somebody else has to decide")
        same_person = approver.partition(":")[2] == requester.partition(":")[2] and requester.startswith(
            "local:"
        )
        if same_person and self._require_two_people:
            raise ForbiddenError(
                f"{approver} and {requester} are one person, and approval.require_two_people is set; "
                "somebody else has to decide"
            )
        return same_person

    def _get(self, connection: Connection, approval_id: str) -> Approval:
        row = None
        if approval_id.isdecimal() and len(approval_id) <= LONGEST_NUMBER:
            row = connection.execute(select(approvals).where(approvals.c.id == int(approval_id))).first()
        if row is None:
            raise ApprovalError(f"approval {approval_id!r} does not exist; list them first")
        return _approval(row, self._clock.now())


def request(
    transaction: Transaction,
    proposal: Proposal,
    findings: tuple[Finding, ...],
    *,
    tool: str,
    arguments: Mapping[str, object],
    effect_hash: str,
    now: datetime,
    expires_s: float,
) -> Approval:
    """Open a request inside the caller's transaction."""
    row = transaction.connection.execute(
        insert(approvals)
        .values(
            effect_hash=effect_hash,
            requester=proposal.requester,
            tool=tool,
            arguments=dict(arguments),
            asset=proposal.asset,
            power_kw=proposal.power_kw,
            duration_s=proposal.duration_s,
            reason=proposal.reason,
            expected_effect=proposal.expected_effect,
            expected_cost_usd=proposal.expected_cost_usd,
            event_id=proposal.event_id,
            forecast_issued_at=proposal.forecast_issued_at,
            findings=to_json(findings),
            created_at=now,
            expires_at=now + timedelta(seconds=expires_s),
            state="PENDING",
        )
        .returning(approvals)
    ).one()
    asked = _approval(row, now)
    transaction.audit(
        now,
        "approval_requested",
        proposal.requester,
        {
            "approval_id": asked.approval_id,
            "tool": tool,
            "arguments": dict(arguments),
            "effect_hash": effect_hash,
            "findings": to_json(findings),
        },
    )
    return asked


def open_request(
    connection: Connection, effect_hash: str, proposal: Proposal, now: datetime
) -> Approval | None:
    """The unexpired, unused request for this effect: an approved one first, then the newest.

    The call alone does not say what happens: a tool may reckon its power from what it reads, and what a
    person saw was a power. So asset, power and duration have to be those that were asked for.
    """
    rows = connection.execute(
        select(approvals)
        .where(
            approvals.c.effect_hash == effect_hash,
            approvals.c.asset == proposal.asset,
            approvals.c.power_kw == proposal.power_kw,
            approvals.c.duration_s == proposal.duration_s,
            approvals.c.state.in_(("PENDING", "APPROVED", "DENIED")),
            approvals.c.expires_at > now,
        )
        .order_by(approvals.c.id.desc())
    )
    found = [_approval(row, now) for row in rows]
    return next((asked for asked in found if asked.state == "APPROVED"), found[0] if found else None)


def consume(connection: Connection, approval_id: str, effect_hash: str, now: datetime) -> bool:
    """Use an approval up, atomically; False when it is not approved, expired, or of another effect."""
    used = connection.execute(
        update(approvals)
        .where(
            approvals.c.id == int(approval_id),
            approvals.c.state == "APPROVED",
            approvals.c.effect_hash == effect_hash,
            approvals.c.expires_at > now,
        )
        .values(state="CONSUMED")
    )
    return used.rowcount == 1


def expire(connection: Connection, now: datetime) -> list[str]:
    """Close the requests whose time is over; their ids."""
    closed = connection.execute(
        update(approvals)
        .where(approvals.c.state.in_(("PENDING", "APPROVED")), approvals.c.expires_at <= now)
        .values(state="EXPIRED")
        .returning(approvals.c.id)
    )
    return [str(number) for number in sorted(closed.scalars())]


def _approval(row: Row[tuple[object, ...]], now: datetime) -> Approval:
    over = row.state in ("PENDING", "APPROVED") and row.expires_at <= now
    return Approval(
        approval_id=str(row.id),
        state="EXPIRED" if over else row.state,
        requester=row.requester,
        tool=row.tool,
        arguments=row.arguments,
        asset=row.asset,
        power_kw=row.power_kw,
        duration_s=row.duration_s,
        reason=row.reason,
        expected_effect=row.expected_effect,
        expected_cost_usd=row.expected_cost_usd,
        event_id=row.event_id,
        forecast_issued_at=row.forecast_issued_at,
        findings=from_json(row.findings),
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decision_reason=row.decision_reason,
        same_person=row.same_person,
    )
