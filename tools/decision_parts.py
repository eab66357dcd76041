"""The parts of a decision's explanation, each from the ledger or the store."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from dispatch.approvals import Approval
from dispatch.decision_record import DecisionRecord, ProposalRecord
from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid.units import SECONDS_PER_HOUR
from pipeline.errors import ModelError
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from tools.as_of import AsOfReader
from tools.contract import ToolContext, ToolOutput
from tools.forecast_net_load import ForecastDriver
from tools.intervals import interval_start

MOST_RECEIPTS = 12
_INSTANT = timedelta(microseconds=1)


class ForecastBasis(ToolOutput):
    """A forecast of the 30-minute change of net load, in kW."""

    named: bool = Field(description="by the proposal; else the newest then")
    issued_at: datetime
    p10_change_kw: float
    p50_change_kw: float
    p90_change_kw: float
    ramp_probability: float = Field(description="chance to pass the ramp limit")
    model: str
    drivers: list[ForecastDriver]


class ApprovalGiven(ToolOutput):
    """The approval that the proposal used up."""

    approval_id: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    same_person: bool


class EventAnswered(ToolOutput):
    """The instability event that it answers."""

    event_id: str
    kind: str
    started_at: datetime
    severity: str
    cause_kw: float | None


class SetpointDone(ToolOutput):
    """What was asked of the devices, and its receipt."""

    dispatch_id: str
    at: datetime
    battery_kw: float
    peaker_kw: float
    state: str
    receipt_at: datetime | None
    clipped_by: list[str]


@dataclass(frozen=True, slots=True)
class Settled:
    """Mean power in kW, energy in kWh and what it earned; None where nothing was done, or has no price."""

    mean_kw: float | None = None
    energy_kwh: float | None = None
    earned: float | None = None


def forecast_basis(context: ToolContext, proposal: ProposalRecord) -> tuple[ForecastBasis | None, list[str]]:
    """The forecast that a proposal rested on, and what cannot be told of it."""
    made, named = _forecast_then(context, proposal)
    if made is None:
        return None, ["no forecast of that time is stored"]
    drivers, notes = _drivers(context, made)
    basis = ForecastBasis(
        named=named,
        issued_at=made.issued_at,
        p10_change_kw=made.p10_kw,
        p50_change_kw=made.p50_kw,
        p90_change_kw=made.p90_kw,
        ramp_probability=made.probability_beyond(context.limits.ramp_limit_kw),
        model=made.model,
        drivers=drivers,
    )
    return basis, notes


def _forecast_then(context: ToolContext, proposal: ProposalRecord) -> tuple[Forecast | None, bool]:
    """The forecast that the proposal names, else the newest that was known; whether it was named."""
    if proposal.forecast_issued_at is not None:
        issued_at = datetime.fromisoformat(proposal.forecast_issued_at)
        named = context.reader.forecasts(NATIVE_SITE, issued_at, issued_at + _INSTANT)
        if named:
            return named[0], True
    then = AsOfReader(context.reader, proposal.starts_at, context.sites)
    return then.latest_forecast(NATIVE_SITE), False


def _drivers(context: ToolContext, made: Forecast) -> tuple[list[ForecastDriver], list[str]]:
    if context.explainer is None:
        return [], ["there is no model here to tell what drove the forecast"]
    try:
        found = context.explainer.drivers(context.reader, made)
    except ModelError as error:
        return [], [f"what drove the forecast cannot be told: {error}"]
    return [ForecastDriver(family=driver.family, change_kw=driver.change_kw) for driver in found], []


def event_answered(context: ToolContext, proposal: ProposalRecord) -> EventAnswered | None:
    """The instability event that a proposal answers, while it is stored."""
    if proposal.event_id is None:
        return None
    since = proposal.starts_at - timedelta(days=1)
    found = [event for site in context.sites for event in context.reader.events(site, since)]
    return next((_answered(event) for event in found if event.event_id == proposal.event_id), None)


def _answered(event: InstabilityEvent) -> EventAnswered:
    return EventAnswered(
        event_id=event.event_id,
        kind=event.kind,
        started_at=event.started_at,
        severity=event.severity,
        cause_kw=event.cause_kw,
    )


def approval_given(approval: Approval) -> ApprovalGiven:
    """Who agreed, and why."""
    return ApprovalGiven(
        approval_id=approval.approval_id,
        decided_by=approval.decided_by,
        decided_at=approval.decided_at,
        reason=approval.decision_reason,
        same_person=approval.same_person,
    )


def prices_at(context: ToolContext, at: datetime) -> tuple[float | None, float | None]:
    """Real-time and day-ahead price of the interval that holds a moment."""
    start = interval_start(at, context.limits.interval_s)
    quotes = context.reader.quotes(AREA_SITE, start, start + _INSTANT)
    return (quotes[0].price_usd_per_mwh, quotes[0].da_price_usd_per_mwh) if quotes else (None, None)


def setpoints_done(record: DecisionRecord) -> list[SetpointDone]:
    """The first dispatches, with their receipts."""
    return [
        SetpointDone(
            dispatch_id=dispatch.dispatch_id,
            at=dispatch.at,
            battery_kw=dispatch.setpoints.battery_kw,
            peaker_kw=dispatch.setpoints.peaker_kw,
            state=dispatch.state,
            receipt_at=dispatch.receipt_at,
            clipped_by=[finding.rule for finding in dispatch.setpoints.rules],
        )
        for dispatch in record.dispatches[:MOST_RECEIPTS]
    ]


def settled(context: ToolContext, proposal: ProposalRecord) -> Settled:
    """What the asset did in the spans that are in the proposal's name."""
    start, end = proposal.starts_at, proposal.ends_at
    spans = [
        span
        for span in context.reader.dispatches(AREA_SITE, start, end)
        if span.proposal_id == proposal.proposal_id and span.asset == proposal.asset
    ]
    starts = {span.start for span in spans}
    trades = [
        trade
        for trade in context.reader.trades(AREA_SITE, start, end)
        if trade.asset == proposal.asset and trade.start in starts
    ]
    hours = sum(span.duration_s for span in spans) / SECONDS_PER_HOUR
    if not hours:
        return Settled()
    energy_kwh = sum(span.power_kw * span.duration_s for span in spans) / SECONDS_PER_HOUR
    values = [trade.value_usd for trade in trades]
    known = [value for value in values if value is not None]
    return Settled(energy_kwh / hours, energy_kwh, sum(known) if len(known) == len(values) else None)
