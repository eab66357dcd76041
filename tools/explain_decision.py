"""explain_decision: what a dispatch rested on, what judged it, what was done, and what was rejected."""

from datetime import datetime
from typing import Self

import anyio.to_thread
from pydantic import Field, model_validator

from dispatch.decision_record import DecisionNotFoundError, DecisionRecord, ProposalRecord
from policies.principal import SCOPE_READ
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput
from tools.decision_parts import (
    ApprovalGiven,
    EventAnswered,
    ForecastBasis,
    SetpointDone,
    approval_given,
    event_answered,
    forecast_basis,
    prices_at,
    setpoints_done,
    settled,
)
from tools.dispatch_fields import Finding
from tools.errors import ToolInputError
from tools.hindsight import RejectedAlternative, judged_again

NOTHING_YET = "nothing was decided so far: no proposal was accepted yet"
NOBODYS = "no proposal was live then: all had expired or were withdrawn, or none was made yet"
NOT_DONE = "no dispatch was made in its name: another proposal set the asset, or the owner has not acted yet"


class ExplainRequest(ToolInput):
    """Which decision; the newest where none is named."""

    proposal_id: str | None = Field(None, description="of an accepted proposal", min_length=1, max_length=40)
    dispatch_id: str | None = Field(None, description="of a dispatch instead", min_length=1, max_length=40)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.proposal_id is not None and self.dispatch_id is not None:
            raise ValueError("give proposal_id or dispatch_id, not both; neither explains the newest")
        return self


class ExplainAnswer(ToolOutput):
    """A decision. Powers in kW (positive injects), money in ``currency``; None is not known."""

    proposal_id: str | None = Field(None, description="None: nobody's; safe setpoints")
    other_proposals: list[str] = Field(default_factory=list, description="with a part in that dispatch")
    requester: str | None = None
    asset: str | None = None
    asked_kw: float | None = None
    power_kw: float | None = Field(None, description="after clipping")
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    state: str | None = None
    reason: str | None = None
    event: EventAnswered | None = None
    forecast: ForecastBasis | None = None
    ramp_limit_kw: float
    rules: list[Finding] = Field(default_factory=list, description="guardrails that bore on it")
    approval: ApprovalGiven | None = None
    currency: str
    real_time_price_per_mwh: float | None = Field(None, description="of its first interval")
    day_ahead_price_per_mwh: float | None = None
    expected_effect: str | None = None
    expected_cost: float | None = None
    done: list[SetpointDone] = Field(default_factory=list)
    mean_power_kw: float | None = Field(None, description="measured, in its name")
    energy_kwh: float | None = None
    earned: float | None = Field(None, description="energy at its price; negative was paid")
    alternatives: list[RejectedAlternative] = Field(default_factory=list)
    reproduced: bool | None = Field(
        None, description="the policy, run again, decides the same; None: no loop's"
    )
    notes: list[str] = Field(default_factory=list)


async def run(request: ExplainRequest, context: ToolContext) -> ExplainAnswer:
    """Put together what the ledger, the store and the plan of that moment say."""
    try:
        record = context.desk.decision(proposal_id=request.proposal_id, dispatch_id=request.dispatch_id)
    except DecisionNotFoundError as error:
        if request.proposal_id is None and request.dispatch_id is None:
            return _unexplained(context, NOTHING_YET)
        raise ToolInputError(str(error)) from error
    if record.proposal is None:
        return _safe_setpoints(context, record)
    # It plans several times: in a thread, so that the server hears others meanwhile.
    return await anyio.to_thread.run_sync(_explained, context, record, record.proposal)


def _unexplained(context: ToolContext, note: str) -> ExplainAnswer:
    return ExplainAnswer(ramp_limit_kw=context.limits.ramp_limit_kw, currency=context.currency, notes=[note])


def _safe_setpoints(context: ToolContext, record: DecisionRecord) -> ExplainAnswer:
    """A dispatch without a proposal."""
    at = record.dispatches[0].at
    real_time, day_ahead = prices_at(context, at)
    found = {
        "starts_at": at,
        "real_time_price_per_mwh": real_time,
        "day_ahead_price_per_mwh": day_ahead,
        "done": setpoints_done(record),
    }
    return _unexplained(context, NOBODYS).model_copy(update=found)


def _explained(context: ToolContext, record: DecisionRecord, proposal: ProposalRecord) -> ExplainAnswer:
    forecast, notes = forecast_basis(context, proposal)
    real_time, day_ahead = prices_at(context, proposal.starts_at)
    again, done = judged_again(context, proposal), settled(context, proposal)
    return ExplainAnswer(
        proposal_id=proposal.proposal_id,
        other_proposals=list(record.others),
        requester=proposal.requester,
        asset=proposal.asset,
        asked_kw=proposal.asked_kw,
        power_kw=proposal.power_kw,
        starts_at=proposal.starts_at,
        ends_at=proposal.ends_at,
        state=proposal.state,
        reason=proposal.reason,
        event=event_answered(context, proposal),
        forecast=forecast,
        ramp_limit_kw=context.limits.ramp_limit_kw,
        rules=[Finding(rule=f.rule, quote=f.quote, effect=f.effect) for f in proposal.findings],
        approval=None if record.approval is None else approval_given(record.approval),
        currency=context.currency,
        real_time_price_per_mwh=real_time,
        day_ahead_price_per_mwh=day_ahead,
        expected_effect=proposal.expected_effect or None,
        expected_cost=proposal.expected_cost_usd,
        done=setpoints_done(record),
        mean_power_kw=done.mean_kw,
        energy_kwh=done.energy_kwh,
        earned=done.earned,
        alternatives=again.alternatives,
        reproduced=again.reproduced,
        notes=notes + again.notes + ([] if record.dispatches else [NOT_DONE]),
    )


tool = Tool(
    name="explain_decision",
    title="Explain a decision",
    description=(
        "Why a dispatch was made: its forecast, rules, approval, price, what was done, and what else could"
        " have been done and how much worse it was. The newest by default."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=ExplainRequest,
    output_model=ExplainAnswer,
    run=run,
    toolset="dispatch",
)
