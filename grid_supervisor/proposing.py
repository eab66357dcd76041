"""From a policy's decision to the call of a tool."""

from dataclasses import dataclass
from typing import Any

from policies.view import Decision, GridView

SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call to be made: the tool's name and its arguments."""

    tool: str
    arguments: dict[str, Any]

    @property
    def key(self) -> str:
        """Its idempotency key: loop, asset, interval."""
        return str(self.arguments["idempotency_key"])

    @property
    def asset(self) -> str:
        """The asset that it moves."""
        return "peaker" if self.tool == "dispatch_peaker" else "battery"


def request_for(loop: str, decision: Decision, view: GridView) -> ToolRequest:
    """The call that a decision asks for.

    Invariants:
        A loop's decision on one asset for one interval always has the same idempotency key, so that a
        tick that runs twice acts once.
    """
    tool, power_kw = tool_of(decision)
    arguments: dict[str, Any] = {
        "power_kw": power_kw,
        "duration_min": decision.duration_s / SECONDS_PER_MINUTE,
        "reason": decision.reason,
        "idempotency_key": f"{loop}/{decision.asset}/{view.now.isoformat()}",
        "lower_kw": decision.lower_kw,
        "upper_kw": decision.upper_kw,
    }
    if view.event_id is not None and loop == "response":
        arguments["event_id"] = view.event_id
    if view.forecast is not None:
        arguments["forecast_issued_at"] = view.forecast.issued_at.isoformat()
    if decision.expected_gain_usd is not None:
        arguments["expected_cost_usd"] = -decision.expected_gain_usd
    return ToolRequest(tool, arguments)


def tool_of(decision: Decision) -> tuple[str, float]:
    """The tool and its power, which is never negative; positive decisions inject into the grid."""
    if decision.asset == "peaker":
        return "dispatch_peaker", decision.power_kw
    if decision.power_kw < 0:
        return "charge_battery", -decision.power_kw
    return "discharge_battery", decision.power_kw
