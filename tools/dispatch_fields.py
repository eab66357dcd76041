"""What the tools that act have in common: the fields of a request, and the answer."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from policies.proposal import AssetName
from tools.contract import ToolContext, ToolInput, ToolOutput, UtcTime


class DispatchRequest(ToolInput):
    """Power, duration and reason; the rest is for programs."""

    power_kw: float = Field(description="wanted power in kW", ge=0, le=1e9)
    duration_min: float = Field(description="minutes, from acceptance", ge=0.05, le=1440)
    reason: str = Field(description="for the operator and the audit", min_length=3, max_length=500)
    idempotency_key: str | None = Field(
        None, description="the same key acts once", min_length=1, max_length=200
    )
    lower_kw: float | None = Field(None, description="lowest power left to lower priorities", ge=-1e9, le=1e9)
    upper_kw: float | None = Field(
        None, description="highest power left to lower priorities", ge=-1e9, le=1e9
    )
    event_id: str | None = Field(None, description="event that it answers", max_length=200)
    forecast_issued_at: UtcTime | None = Field(None, description="issued_at of the forecast it rests on")
    expected_effect: str = Field("", description="what it should do, in words", max_length=500)
    expected_cost_usd: float | None = Field(
        None, description="expected cost; negative is a gain", ge=-1e12, le=1e12
    )

    @model_validator(mode="after")
    def _ordered_bounds(self) -> Self:
        if self.lower_kw is not None and self.upper_kw is not None and self.lower_kw > self.upper_kw:
            raise ValueError(f"lower_kw={self.lower_kw} is above upper_kw={self.upper_kw}; swap them")
        return self


class Finding(ToolOutput):
    """A guardrail that bore on the proposal."""

    rule: str
    quote: str
    effect: str


class DispatchAnswer(ToolOutput):
    """What became of the proposal."""

    status: Literal["accepted", "pending_approval", "denied"]
    asset: str
    requested_power_kw: float
    power_kw: float | None = Field(description="after clipping; None unless accepted")
    duration_min: float
    proposal_id: str | None
    approval_id: str | None
    expires_at: datetime | None = Field(description="end of the dispatch or of the wait")
    findings: list[Finding]
    next_step: str


async def propose(
    request: DispatchRequest, context: ToolContext, asset: AssetName, power_kw: float
) -> DispatchAnswer:
    """Propose to hold ``asset`` at ``power_kw`` (positive injects) and put the outcome in words."""
    issued_at = request.forecast_issued_at
    outcome = await context.propose(
        asset=asset,
        power_kw=power_kw,
        duration_s=request.duration_min * 60.0,
        reason=request.reason,
        lower_kw=request.lower_kw,
        upper_kw=request.upper_kw,
        event_id=request.event_id,
        forecast_issued_at=None if issued_at is None else issued_at.isoformat(),
        expected_effect=request.expected_effect,
        expected_cost_usd=request.expected_cost_usd,
        idempotency_key=request.idempotency_key,
    )
    return DispatchAnswer(
        status=outcome.status,
        asset=asset,
        requested_power_kw=power_kw,
        power_kw=outcome.power_kw,
        duration_min=request.duration_min,
        proposal_id=outcome.proposal_id,
        approval_id=outcome.approval_id,
        expires_at=outcome.expires_at,
        findings=[Finding(rule=f.rule, quote=f.quote, effect=f.effect) for f in outcome.findings],
        next_step=outcome.message,
    )
