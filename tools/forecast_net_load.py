"""forecast_net_load: how net load will change over the next 30 minutes, as a band."""

from datetime import datetime

from pydantic import Field

from grid.telemetry import NATIVE_SITE
from policies.principal import SCOPE_READ
from tools.contract import SiteName, Tool, ToolContext, ToolInput, ToolOutput
from tools.errors import ToolUnavailableError
from tools.freshness import age_s_of, max_age_s


class ForecastRequest(ToolInput):
    """Which site."""

    site: SiteName = NATIVE_SITE


class ForecastAnswer(ToolOutput):
    """The newest forecast; powers in kW, positive imports."""

    site: str
    issued_at: datetime = Field(description="stamp of the newest measurement it rests on")
    target_at: datetime
    age_s: float = Field(description="seconds since issued_at")
    net_load_kw: float | None = Field(description="at issued_at")
    p10_change_kw: float
    p50_change_kw: float
    p90_change_kw: float
    p10_level_kw: float | None
    p50_level_kw: float | None
    p90_level_kw: float | None
    ramp_limit_kw: float = Field(description="30-minute change that starts the penalty")
    ramp_probability: float = Field(description="chance that the change passes that limit")
    model: str


async def run(request: ForecastRequest, context: ToolContext) -> ForecastAnswer:
    """Answer with the newest forecast, or fail when it is too old to act on."""
    site = context.site(request.site)
    forecast = context.reader.latest_forecast(site.name)
    if forecast is None:
        raise ToolUnavailableError(
            f"site={site.name!r} has no forecast yet; wait for a few pulses,"
            " or train a model with `smartgrid train`"
        )
    age_s, limit_s = age_s_of(context, forecast.issued_at), max_age_s(context, site)
    if age_s > limit_s:
        raise ToolUnavailableError(
            f"the newest forecast of site={site.name!r} is stale: issued at {forecast.issued_at.isoformat()},"
            f" {age_s:.0f} s old, allowed {limit_s:.0f} s; see get_grid_status before acting"
        )
    base = forecast.net_load_kw
    return ForecastAnswer(
        site=site.name,
        issued_at=forecast.issued_at,
        target_at=forecast.target_at,
        age_s=age_s,
        net_load_kw=base,
        p10_change_kw=forecast.p10_kw,
        p50_change_kw=forecast.p50_kw,
        p90_change_kw=forecast.p90_kw,
        p10_level_kw=None if base is None else base + forecast.p10_kw,
        p50_level_kw=None if base is None else base + forecast.p50_kw,
        p90_level_kw=None if base is None else base + forecast.p90_kw,
        ramp_limit_kw=context.limits.ramp_limit_kw,
        ramp_probability=forecast.probability_beyond(context.limits.ramp_limit_kw),
        model=forecast.model,
    )


tool = Tool(
    name="forecast_net_load",
    title="Forecast net load",
    description="P10/P50/P90 of a site's net load in 30 minutes, change and level in kW. Fails when stale.",
    effect="read",
    scope=SCOPE_READ,
    input_model=ForecastRequest,
    output_model=ForecastAnswer,
    run=run,
)
