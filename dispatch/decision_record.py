"""What the ledger holds of one decision: who asked for what and why, what was judged, what was done."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Row, Table, select

from dispatch import receipts
from dispatch.approvals import Approval
from dispatch.errors import DispatchError
from dispatch.findings import from_json
from dispatch.receipts import Dispatch
from dispatch.schema import dispatches, proposals
from policies.verdict import Finding

_NEWEST_NAMED = 5
_LEAST = timedelta(microseconds=1)


class DecisionNotFoundError(DispatchError):
    """No proposal or dispatch of that number; the message names the newest ones."""


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """An accepted proposal. Powers in kW, positive injects.

    Attributes:
        asked_kw, power_kw: before and after clipping.
        state: ``LIVE``, ``EXPIRED``, ``SUPERSEDED`` or ``WITHDRAWN``.
        findings: the guardrails that bore on it.
        approval_id: of the approval that it used up.
    """

    proposal_id: str
    requester: str
    tool: str
    asset: str
    asked_kw: float
    power_kw: float
    starts_at: datetime
    ends_at: datetime
    reason: str
    expected_effect: str
    expected_cost_usd: float | None
    forecast_issued_at: str | None
    event_id: str | None
    approval_id: str | None
    findings: tuple[Finding, ...]
    state: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision and what came of it.

    Attributes:
        proposal: None for a dispatch that no proposal made: the safe setpoints.
        others: numbers of the other proposals that made the dispatch that was asked for.
        approval: that it used up.
        dispatches: what was asked of the devices in its name, oldest first.
    """

    proposal: ProposalRecord | None
    others: tuple[str, ...]
    approval: Approval | None
    dispatches: tuple[Dispatch, ...]


def proposal_record(connection: Connection, proposal_id: str | None) -> ProposalRecord:
    """A proposal by its number; the newest when it is None.

    Raises:
        DecisionNotFoundError: when there is none.
    """
    asked = select(proposals).order_by(proposals.c.id.desc()).limit(1)
    if proposal_id is not None:
        asked = asked.where(proposals.c.id == _number(connection, "proposal_id", proposal_id, proposals))
    row = connection.execute(asked).first()
    if row is None:
        raise _not_found(connection, "proposal_id", proposal_id, proposals)
    return _record(row)


def dispatch_record(connection: Connection, dispatch_id: str) -> Dispatch:
    """A dispatch by its number.

    Raises:
        DecisionNotFoundError: when there is none.
    """
    number = _number(connection, "dispatch_id", dispatch_id, dispatches)
    at = connection.execute(select(dispatches.c.at).where(dispatches.c.id == number)).scalar_one_or_none()
    same_time = [] if at is None else receipts.history(connection, at, at + _LEAST)
    for dispatch in same_time:
        if dispatch.dispatch_id == str(number):
            return dispatch
    raise _not_found(connection, "dispatch_id", dispatch_id, dispatches)


def dispatches_of(connection: Connection, proposal: ProposalRecord) -> tuple[Dispatch, ...]:
    """The dispatches that a proposal had a part in, oldest first."""
    during = receipts.history(connection, proposal.starts_at, proposal.ends_at)
    return tuple(found for found in during if proposal.proposal_id in proposals_of(found))


def proposals_of(dispatch: Dispatch) -> tuple[str, ...]:
    """Numbers of the proposals that made a dispatch, each once: the battery's first."""
    both = dispatch.setpoints.battery_proposals + dispatch.setpoints.peaker_proposals
    return tuple(dict.fromkeys(both))


def _number(connection: Connection, name: str, text: str, table: Table) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise _not_found(connection, name, text, table)
    return int(text)


def _not_found(connection: Connection, name: str, text: str | None, table: Table) -> DecisionNotFoundError:
    number: Column[int] = table.c.id
    newest = connection.execute(select(number).order_by(number.desc()).limit(_NEWEST_NAMED)).scalars()
    known = ", ".join(str(found) for found in newest)
    if not known:
        return DecisionNotFoundError(
            f"there is no {name.removesuffix('_id')} yet; nothing was decided so far"
        )
    return DecisionNotFoundError(f"{name}={text!r} does not exist; the newest are: {known}")


def _record(row: Row[tuple[object, ...]]) -> ProposalRecord:
    return ProposalRecord(
        proposal_id=str(row.id),
        requester=row.requester,
        tool=row.tool,
        asset=row.asset,
        asked_kw=row.asked_kw,
        power_kw=row.power_kw,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        expected_effect=row.expected_effect,
        expected_cost_usd=row.expected_cost_usd,
        forecast_issued_at=row.forecast_issued_at,
        event_id=row.event_id,
        approval_id=None if row.approval_id is None else str(row.approval_id),
        findings=from_json(row.findings),
        state=row.state,
    )
