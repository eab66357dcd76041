"""charge_battery: hold the battery at a power, within the guardrails."""

from policies.principal import SCOPE_DISPATCH
from tools.contract import Tool, ToolContext
from tools.dispatch_fields import DispatchAnswer, DispatchRequest, propose


async def run(request: DispatchRequest, context: ToolContext) -> DispatchAnswer:
    """Charge the battery: a charge is negative power at the asset, and none is 0, not -0."""
    return await propose(request, context, "battery", 0.0 - request.power_kw)


tool = Tool(
    name="charge_battery",
    title="Charge the battery",
    description=(
        "Ask for the battery to charge (withdraw) at power_kw for a while;"
        " guardrails may clip, deny or ask an operator."
    ),
    effect="act",
    scope=SCOPE_DISPATCH,
    input_model=DispatchRequest,
    output_model=DispatchAnswer,
    run=run,
    toolset="dispatch",
)
