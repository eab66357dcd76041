"""Resources: what a client reads, or watches, without calling a tool. JSON in few words."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.uri_template import UriTemplate
from pydantic import TypeAdapter

from dispatch.decision_record import DecisionNotFoundError
from grid.telemetry import Telemetry
from mcp_server.calls import TOLD
from mcp_server.dispatch_log import DispatchLog
from policies.limits import PlantLimits
from tools import forecast_net_load, get_grid_status
from tools.contract import ToolContext, ToolInput, ToolOutput
from tools.errors import ToolInputError
from tools.freshness import age_s_of, is_stale

STATUS = "grid://status"
LIMITS = "grid://limits"
TELEMETRY = "grid://sites/{site}/telemetry"
FORECAST = "grid://sites/{site}/forecast"
ASSET = "grid://assets/{asset}"
DISPATCH = "grid://dispatches/{id}"

ASSETS = ("battery", "peaker")
PULSES_SHOWN = 50
CHANNELS = {
    "ts_utc": "ts_utc",
    "load_kw": "load_kw",
    "solar_kw": "solar_kw",
    "wind_kw": "wind_kw",
    "net_load_kw": "net_load_kw",
    "price_per_mwh": "price_usd_per_mwh",
    "frequency_hz": "frequency_hz",
}
"""Columns of the telemetry, and where a pulse has them; the price is in the area's currency."""

ContextFor = Callable[[], ToolContext]
Reader = Callable[..., Awaitable[str]]
Decorator = Callable[..., Callable[[Reader], Reader]]

_json = TypeAdapter[Any](Any)
_limits = TypeAdapter(PlantLimits)


class ReadTool(Protocol):
    """The module of a tool that a resource shows the answer of."""

    async def run(self, request: Any, context: ToolContext) -> ToolOutput:
        """The tool."""
        ...


def uri_of(template: str, **values: str) -> str:
    """The address of a resource, its names quoted as clients quote them."""
    return UriTemplate.parse(template).expand(values)


def add_resources(server: MCPServer[None], context_for: ContextFor, log: DispatchLog | None) -> None:
    """Serve the resources.

    Args:
        server: gets them.
        context_for: what a reader may see.
        log: the dispatches; their resource is not offered where it is None.
    """
    resource = partial(server.resource, mime_type="application/json")

    @resource(STATUS, name="grid_status", title="Grid status", description="The grid now.")
    async def status() -> str:
        return await _read(get_grid_status, get_grid_status.StatusRequest(), context_for)

    @resource(LIMITS, name="limits", title="Limits", description="What assets can do and guardrails allow.")
    async def limits() -> str:
        found = context_for().limits
        return _limits.dump_json(found).decode()

    @resource(TELEMETRY, name="telemetry", title="Telemetry", description="A site's newest pulses, in kW.")
    async def telemetry(site: str) -> str:
        with _explained():
            return _written(_telemetry(context_for(), site))

    @resource(FORECAST, name="forecast", title="Forecast", description="A site's newest net load forecast.")
    async def forecast(site: str) -> str:
        return await _read(forecast_net_load, forecast_net_load.ForecastRequest(site=site), context_for)

    @resource(ASSET, name="asset", title="Asset", description="battery or peaker: state and abilities.")
    async def asset(asset: str) -> str:
        if asset not in ASSETS:
            raise ResourceNotFoundError(f"asset={asset!r} is not known; use one of: {', '.join(ASSETS)}")
        with _explained():
            grid = await get_grid_status.run(get_grid_status.StatusRequest(), context_for())
        return _written({"asset": asset, "now": grid.now, **getattr(grid, asset).model_dump()})

    if log is not None:
        _add_dispatches(resource, log)


def _add_dispatches(resource: Decorator, log: DispatchLog) -> None:
    @resource(
        DISPATCH, name="dispatch", title="Dispatch", description="Setpoints, what asked for them, state."
    )
    async def dispatch(id: str) -> str:  # noqa: A002  the name in the address
        with _explained():
            return _written(log.find(id))


async def _read(tool: ReadTool, request: ToolInput, context_for: ContextFor) -> str:
    with _explained():
        answer = await tool.run(request, context_for())
    return answer.model_dump_json(by_alias=True)


def _telemetry(context: ToolContext, name: str) -> dict[str, Any]:
    site = context.site(name)
    pulses = context.reader.latest(site.name, PULSES_SHOWN)
    age_s = age_s_of(context, pulses[-1].ts_utc) if pulses else None
    return {
        "site": site.name,
        "currency": context.currency,
        "age_s": age_s,
        "stale": is_stale(context, site, age_s),
        "columns": list(CHANNELS),
        "rows": [_row(pulse) for pulse in pulses],
    }


def _row(pulse: Telemetry) -> list[datetime | float | None]:
    return [getattr(pulse, channel) for channel in CHANNELS.values()]


def _written(content: object) -> str:
    return _json.dump_json(content).decode()


@contextmanager
def _explained() -> Iterator[None]:
    """What a reader is told; what it can correct is told apart from what it has to wait for."""
    try:
        yield
    except (ToolInputError, DecisionNotFoundError) as error:
        raise ResourceNotFoundError(str(error)) from error
    except TOLD as error:
        raise ResourceError(str(error)) from error
