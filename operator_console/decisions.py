"""What was decided, what came of it, what it earned, and what was rejected on the way."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, select

from dispatch.approvals import Approval, Approvals
from dispatch.errors import DispatchError
from dispatch.findings import from_json
from dispatch.schema import audit, proposals
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import AREA_SITE
from grid.units import cost_usd, energy_kwh
from operator_console.errors import SourceError
from operator_console.source import ConsoleSource
from pipeline.errors import PipelineError

MOST_PROPOSALS = 400
MOST_DENIALS = 100
MOST_APPROVALS = 100
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. Powers in kW, positive injects; money in the area's currency.

    Attributes:
        key: names it on the page, e.g. ``proposal 12``.
        state: ``live``, ``expired``, ``superseded``, ``withdrawn``, ``denied``, or an approval's.
        asked_kw: what was wanted.
        planned_kw: what the guardrails left of it; None where nothing was to happen.
        actual_kw: mean of what the asset did in its name; None where it did not act, or not yet.
        energy_kwh: what that was, at the meter.
        earned: energy at its real-time prices, less wear or fuel and upkeep; None where a price is missing.
        rejected: rules that clipped or refused it, and rival wishes that it outranked.
    """

    key: str
    at: datetime
    until: datetime | None
    who: str
    asset: str
    state: str
    asked_kw: float | None
    planned_kw: float | None
    actual_kw: float | None
    energy_kwh: float | None
    earned: float | None
    why: str
    expected_effect: str
    expected_cost: float | None
    forecast: str | None
    event_id: str | None
    approval_id: str | None
    rejected: tuple[str, ...]

    def matches(self, words: Sequence[str]) -> bool:
        """Whether each of these words, in lower case, is somewhere in it."""
        shown = (
            self.key, self.who, self.asset, self.state, self.why, self.expected_effect, self.event_id or "",
            f"{self.at:%Y-%m-%d %H:%M}", *self.rejected,
        )  # fmt: skip
        text = " ".join(shown).lower()
        return all(word in text for word in words)


def decisions(source: ConsoleSource) -> list[Decision]:
    """The last few hundred decisions, newest first.

    Raises:
        SourceError: when store or ledger cannot be read.
    """
    try:
        with source.ledger.reading() as connection:
            rows = _proposals(connection)
            denied = list(_denials(connection))
        desk = Approvals(source.ledger, source.clock, require_two_people=True)
        over = [asked for asked in desk.newest(MOST_APPROVALS) if asked.state != "PENDING"]
        found = [*_accepted(source, rows), *denied, *map(_approval, over)]
    except (DispatchError, PipelineError) as error:
        raise SourceError(str(error)) from error
    return sorted(found, key=lambda decision: decision.at, reverse=True)


def _proposals(connection: Connection) -> list[Row[tuple[object, ...]]]:
    newest = select(proposals).order_by(proposals.c.id.desc()).limit(MOST_PROPOSALS)
    return list(connection.execute(newest))


def _accepted(source: ConsoleSource, rows: Sequence[Row[tuple[object, ...]]]) -> Iterator[Decision]:
    if not rows:
        return
    since = min(row.starts_at for row in rows) - timedelta(hours=2)
    until = source.clock.now() + MICROSECOND
    done = _by_proposal(source.reader.dispatches(AREA_SITE, since, until))
    traded = {(trade.asset, trade.start): trade for trade in source.reader.trades(AREA_SITE, since, until)}
    for row in rows:
        spans = done.get(str(row.id), [])
        yield _decision(source, row, spans, traded, _outranked(row, rows))


def _by_proposal(spans: Iterable[AssetDispatch]) -> dict[str, list[AssetDispatch]]:
    found: dict[str, list[AssetDispatch]] = {}
    for span in spans:
        if span.proposal_id is not None:
            found.setdefault(span.proposal_id, []).append(span)
    return found


def _decision(
    source: ConsoleSource,
    row: Row[tuple[object, ...]],
    spans: Sequence[AssetDispatch],
    traded: Mapping[tuple[str, datetime], EnergyTrade],
    outranked: Iterable[str],
) -> Decision:
    seconds = sum(span.duration_s for span in spans)
    energy = sum(energy_kwh(span.power_kw, span.duration_s) for span in spans) if spans else None
    return Decision(
        key=f"proposal {row.id}",
        at=row.starts_at,
        until=row.ends_at,
        who=row.requester,
        asset=row.asset,
        state=row.state.lower(),
        asked_kw=row.asked_kw,
        planned_kw=row.power_kw,
        actual_kw=None if energy is None or not seconds else energy * 3600.0 / seconds,
        energy_kwh=energy,
        earned=_earned(source, spans, traded) if spans else None,
        why=row.reason,
        expected_effect=row.expected_effect,
        expected_cost=row.expected_cost_usd,
        forecast=row.forecast_issued_at,
        event_id=row.event_id,
        approval_id=None if row.approval_id is None else str(row.approval_id),
        rejected=(*(f"{item.rule}: {item.quote}" for item in from_json(row.findings)), *outranked),
    )


def _earned(
    source: ConsoleSource,
    spans: Sequence[AssetDispatch],
    traded: Mapping[tuple[str, datetime], EnergyTrade],
) -> float | None:
    """What the energy brought in, less what it cost to make; a start of the peaker is not in it."""
    total = 0.0
    for span in spans:
        trade = traded.get((span.asset, span.start))
        if trade is None or trade.value_usd is None:
            return None
        per_mwh = source.battery_wear_per_mwh if span.asset == "battery" else source.peaker_running_per_mwh
        total += trade.value_usd - cost_usd(max(0.0, trade.energy_kwh), per_mwh)
    return total


def _outranked(row: Row[tuple[object, ...]], rows: Iterable[Row[tuple[object, ...]]]) -> Iterator[str]:
    """The wishes of lower priority that stood when this one began."""
    for other in rows:
        lower = other.asset == row.asset and other.priority < row.priority
        if lower and other.starts_at <= row.starts_at < other.ends_at:
            yield f"outranked {other.requester}, who wanted {other.power_kw:+,.0f} kW (proposal {other.id})"


def _denials(connection: Connection) -> Iterator[Decision]:
    rows = connection.execute(
        select(audit)
        .where(audit.c.kind == "proposal_denied")
        .order_by(audit.c.seq.desc())
        .limit(MOST_DENIALS)
    )
    for row in rows:
        payload = json.loads(row.payload)
        rules = from_json(payload["findings"])
        yield _plain(
            key=f"refusal {row.seq}",
            at=row.at,
            who=row.actor,
            asset=payload["asset"],
            state="refused",
            asked_kw=_number(payload["asked_kw"]),
            why="",
            rejected=tuple(f"{item.rule}: {item.quote}" for item in rules),
        )


def _approval(asked: Approval) -> Decision:
    return _plain(
        key=f"approval {asked.approval_id}",
        at=asked.decided_at or asked.created_at,
        who=asked.decided_by or asked.requester,
        asset=asked.asset,
        state="approved" if asked.state == "CONSUMED" else asked.state.lower(),
        asked_kw=asked.power_kw,
        why=asked.decision_reason or f"asked by {asked.requester}: {asked.reason}",
        rejected=tuple(f"{item.rule}: {item.quote}" for item in asked.findings),
    )


def _plain(
    *,
    key: str,
    at: datetime,
    who: str,
    asset: str,
    state: str,
    asked_kw: float | None,
    why: str,
    rejected: tuple[str, ...],
) -> Decision:
    """A decision that set nothing in motion by itself."""
    return Decision(
        key, at, None, who, asset, state, asked_kw, None, None, None, None, why, "", None, None, None, None,
        rejected,
    )  # fmt: skip


def _number(text: str) -> float | None:
    """What was asked, kept as text because it may have been no number."""
    try:
        return float(text)
    except ValueError:
        return None
