"""halt_autonomy: stop everything that acts by itself; the assets go to their safe setpoints."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from policies.principal import SCOPE_DISPATCH
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput

NEXT_STEP = (
    "the assets go to their safe setpoints within their limits at the owner's next tick; no tool resumes:"
    " an operator does, with `smartgrid resume` or in the console"
)


class HaltRequest(ToolInput):
    """Why."""

    reason: str = Field(description="a sentence for the operator and the audit", min_length=3, max_length=500)


class HaltAnswer(ToolOutput):
    """The halt that is in force."""

    status: Literal["halted", "already_halted"]
    halted_by: str
    halted_at: datetime
    reason: str = Field(description="of the halt in force")
    next_step: str


async def run(request: HaltRequest, context: ToolContext) -> HaltAnswer:
    """Halt; where the autonomy is halted already, that halt stands and nothing is done again."""
    halt, new = context.halt(request.reason)
    return HaltAnswer(
        status="halted" if new else "already_halted",
        halted_by=halt.by,
        halted_at=halt.at,
        reason=halt.reason,
        next_step=NEXT_STEP,
    )


tool = Tool(
    name="halt_autonomy",
    title="Halt the autonomy",
    description=(
        "Stop all autonomous action at once and send battery and peaker to their safe setpoints. Only an"
        " operator can resume, outside this connection."
    ),
    effect="act",
    scope=SCOPE_DISPATCH,
    input_model=HaltRequest,
    output_model=HaltAnswer,
    run=run,
    toolset="dispatch",
)
