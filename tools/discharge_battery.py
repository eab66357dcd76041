"""discharge_battery: hold the battery at a power, within the guardrails."""

from policies.principal import SCOPE_DISPATCH
from tools.contract import Tool, ToolContext
from tools.dispatch_fields import DispatchAnswer, DispatchRequest, propose


async def run(request: DispatchRequest, context: ToolContext) -> DispatchAnswer:
    """Discharge the battery: positive power injects."""
    return await propose(request, context, "battery", request.power_kw)


tool = Tool(
    name="discharge_battery",
    title="Discharge the battery",
    description=(
        "Ask for the battery to discharge (inject) at power_kw for a while; 0 holds it idle;"
        " guardrails may clip, deny or ask an operator."
    ),
    effect="act",
    scope=SCOPE_DISPATCH,
    input_model=DispatchRequest,
    output_model=DispatchAnswer,
    run=run,
    toolset="dispatch",
)
