"""dispatch_peaker: hold the peaker at a power, within the guardrails."""

from policies.principal import SCOPE_DISPATCH
from tools.contract import Tool, ToolContext
from tools.dispatch_fields import DispatchAnswer, DispatchRequest, propose


async def run(request: DispatchRequest, context: ToolContext) -> DispatchAnswer:
    """Dispatch the gas peaker: positive power injects."""
    return await propose(request, context, "peaker", request.power_kw)


tool = Tool(
    name="dispatch_peaker",
    title="Dispatch the gas peaker",
    description=(
        "Ask for the gas peaker to run at power_kw for a while; 0 asks it to stop."
        " A start may need an operator's approval: repeat the same call once approved."
    ),
    effect="act",
    scope=SCOPE_DISPATCH,
    input_model=DispatchRequest,
    output_model=DispatchAnswer,
    run=run,
    toolset="dispatch",
)
