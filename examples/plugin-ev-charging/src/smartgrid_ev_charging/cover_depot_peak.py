"""cover_depot_peak: let the area's battery deliver what a depot draws above its connection."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from smartgrid.plugin import (
    SCOPE_DISPATCH,
    Tool,
    ToolContext,
    ToolInput,
    ToolInputError,
    ToolOutput,
)


class PeakRequest(ToolInput):
    """The peak. What is proposed follows from these numbers alone, so that an approval covers it."""

    charging_kw: float = Field(description="what the depot draws at its peak", gt=0, le=100_000)
    connection_kw: float = Field(description="what its connection carries", ge=0, le=100_000)
    duration_min: float = Field(description="how long the peak lasts, from acceptance", ge=1, le=240)
    idempotency_key: str | None = Field(
        None, description="the same key acts once", min_length=1, max_length=200
    )


class PeakAnswer(ToolOutput):
    """What became of the proposal."""

    status: Literal["accepted", "pending_approval", "denied"]
    asked_kw: float = Field(description="discharge that covers the peak")
    power_kw: float | None = Field(description="after clipping; None unless accepted")
    uncovered_kw: float | None = Field(description="of the peak, after clipping; None unless accepted")
    approval_id: str | None
    expires_at: datetime | None = Field(description="end of the dispatch or of the wait")
    next_step: str


async def run(request: PeakRequest, context: ToolContext) -> PeakAnswer:
    """Propose a discharge (positive injects) of the size of the peak; the guardrails decide."""
    peak_kw = request.charging_kw - request.connection_kw
    if peak_kw <= 0:
        raise ToolInputError(
            f"charging_kw={request.charging_kw} is within connection_kw={request.connection_kw};"
            " there is no peak to cover"
        )
    outcome = await context.propose(
        asset="battery",
        power_kw=peak_kw,
        duration_s=request.duration_min * 60.0,
        reason=f"depot draws {peak_kw:.1f} kW above its connection of {request.connection_kw:.1f} kW",
        expected_effect="the area's meter does not see the depot's peak",
        idempotency_key=request.idempotency_key,
    )
    accepted_kw = outcome.power_kw
    return PeakAnswer(
        status=outcome.status,
        asked_kw=peak_kw,
        power_kw=accepted_kw,
        uncovered_kw=None if accepted_kw is None else max(0.0, peak_kw - accepted_kw),
        approval_id=outcome.approval_id,
        expires_at=outcome.expires_at,
        next_step=outcome.message,
    )


tool = Tool(
    name="cover_depot_peak",
    title="Cover a depot's peak",
    description=(
        "Ask for the area's battery to discharge by what a depot draws above its connection;"
        " guardrails may clip, deny or ask an operator."
    ),
    effect="act",
    scope=SCOPE_DISPATCH,
    input_model=PeakRequest,
    output_model=PeakAnswer,
    run=run,
    toolset="ev_charging",
)
