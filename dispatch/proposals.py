"""Accepted proposals in the ledger: which are live, which keys were used, how often somebody acts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, String, func, insert, select, update

from dispatch.findings import to_json
from dispatch.schema import proposals
from policies.arbiter import Claim
from policies.proposal import AssetName, Proposal
from policies.verdict import Verdict

LIVE = "LIVE"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A proposal that may act now, with what it is bound to."""

    proposal: Proposal
    verdict: Verdict
    tool: str
    effect_hash: str
    approval_id: int | None

    @property
    def bounds_kw(self) -> tuple[float, float]:
        """The range left to lower priorities, widened where a clip moved the power out of it."""
        low_kw, high_kw = self.proposal.bounds_kw
        return min(low_kw, self.verdict.power_kw), max(high_kw, self.verdict.power_kw)


def unstorable(proposal: Proposal) -> str:
    """Which text of a proposal not every ledger can hold, and why; empty when all can be held."""
    for column in proposals.columns:
        text = getattr(proposal, column.name, None)
        if not isinstance(text, str) or not isinstance(column.type, String):
            continue
        if "\0" in text:
            return f"{column.name} holds a NUL character; leave it out"
        if column.type.length is not None and len(text) > column.type.length:
            return f"{column.name} has {len(text)} characters; at most {column.type.length} are kept"
    return ""


def add(connection: Connection, accepted: Accepted, now: datetime) -> int:
    """Record a proposal as live from ``now``; it replaces the requester's older one on the same asset."""
    proposal = accepted.proposal
    connection.execute(
        update(proposals)
        .where(
            proposals.c.state == LIVE,
            proposals.c.requester == proposal.requester,
            proposals.c.asset == proposal.asset,
        )
        .values(state="SUPERSEDED")
    )
    lower_kw, upper_kw = accepted.bounds_kw
    new_id = connection.execute(
        insert(proposals)
        .values(
            requester=proposal.requester,
            priority=proposal.priority,
            tool=accepted.tool,
            effect_hash=accepted.effect_hash,
            idempotency_key=proposal.idempotency_key,
            asset=proposal.asset,
            asked_kw=proposal.power_kw,
            power_kw=accepted.verdict.power_kw,
            lower_kw=lower_kw,
            upper_kw=upper_kw,
            starts_at=now,
            ends_at=now + timedelta(seconds=proposal.duration_s),
            reason=proposal.reason,
            expected_effect=proposal.expected_effect,
            expected_cost_usd=proposal.expected_cost_usd,
            forecast_issued_at=proposal.forecast_issued_at,
            event_id=proposal.event_id,
            approval_id=accepted.approval_id,
            findings=to_json(accepted.verdict.findings),
            state=LIVE,
        )
        .returning(proposals.c.id)
    ).scalar_one()
    return int(new_id)


def by_key(connection: Connection, requester: str, key: str) -> Row[tuple[object, ...]] | None:
    """The accepted proposal of this requester and idempotency key, or None."""
    return connection.execute(
        select(proposals).where(proposals.c.requester == requester, proposals.c.idempotency_key == key)
    ).first()


def accepted_since(connection: Connection, requester: str, since: datetime) -> int:
    """How many proposals of this requester were accepted after ``since``."""
    return connection.execute(
        select(func.count()).where(proposals.c.requester == requester, proposals.c.starts_at > since)
    ).scalar_one()


def expire(connection: Connection, now: datetime) -> Sequence[int]:
    """Close the live proposals whose time is over; their ids."""
    closed = connection.execute(
        update(proposals)
        .where(proposals.c.state == LIVE, proposals.c.ends_at <= now)
        .values(state="EXPIRED")
        .returning(proposals.c.id)
    )
    return sorted(closed.scalars())


def live_claims(connection: Connection, asset: AssetName) -> list[Claim]:
    """The live proposals on an asset, as the arbiter sees them."""
    rows = connection.execute(
        select(proposals)
        .where(proposals.c.state == LIVE, proposals.c.asset == asset)
        .order_by(proposals.c.id)
    )
    return [
        Claim(
            proposal_id=row.id,
            requester=row.requester,
            priority=row.priority,
            power_kw=row.power_kw,
            lower_kw=row.lower_kw,
            upper_kw=row.upper_kw,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            event_id=row.event_id,
        )
        for row in rows
    ]
