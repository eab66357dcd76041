"""forecast_net_load: how net load will change over 30 minutes or another horizon, and its outlook."""

from datetime import datetime, timedelta

from pydantic import Field

from grid.telemetry import NATIVE_SITE
from pipeline.errors import ModelError
from pipeline.forecast import Forecast
from pipeline.forecasting.drivers import Explainer
from pipeline.forecasting.followed_drift import followed_drift
from policies.principal import SCOPE_READ
from tools.contract import SiteName, Tool, ToolContext, ToolInput, ToolOutput
from tools.current_forecast import OUTLOOK_MODEL, current_forecast
from tools.errors import ToolUnavailableError
from tools.expected_course import expected_course
from tools.freshness import age_s_of, max_age_s


class ForecastRequest(ToolInput):
    """Which site, and how far the outlook reaches."""

    site: SiteName = NATIVE_SITE
    horizon_min: float = Field(30.0, description="others than 30 if trained for", gt=0, le=240)
    outlook_hours: float = Field(0.0, description="how far the outlook reaches", ge=0, le=36)
    explain: bool = Field(False, description="also what drives it")


class ForecastDriver(ToolOutput):
    """What a feature family adds to the median of the change."""

    family: str = Field(description="average: what holds without any input")
    change_kw: float


class ForecastAnswer(ToolOutput):
    """The newest forecast; powers in kW, positive imports."""

    site: str
    issued_at: datetime = Field(description="stamp of its newest measurement")
    target_at: datetime
    age_s: float
    net_load_kw: float | None = Field(description="at issued_at")
    p10_change_kw: float
    p50_change_kw: float
    p90_change_kw: float
    p10_level_kw: float | None
    p50_level_kw: float | None
    p90_level_kw: float | None
    band_factor: float = Field(description="that widens the band")
    ramp_limit_kw: float = Field(description="30-minute change that starts the penalty")
    ramp_probability: float = Field(description="of passing it")
    model: str
    outlook_step_s: float
    outlook_kw: list[float] = Field(description="level by interval, the one just ended first")
    outlook_sigma_kw: list[float] = Field(description="error of the 30-minute change to each")
    drivers: list[ForecastDriver] = Field(description="largest first; they sum to p50_change_kw")


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
    believed = current_forecast(context, forecast)
    if believed is None:
        raise ToolUnavailableError(
            f"the newest forecast of site={site.name!r} rests on telemetry that is not believed;"
            " see check_telemetry before acting"
        )
    forecast = _at_horizon(context, believed, timedelta(minutes=request.horizon_min))
    drift = followed_drift(context.reader).report(site.name, site.cadence_s, context.clock.now())
    forecast = forecast.widened(drift.factor)
    base = forecast.net_load_kw
    course = expected_course(context, request.outlook_hours) if request.outlook_hours > 0 else None
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
        band_factor=drift.factor,
        ramp_limit_kw=context.limits.ramp_limit_kw,
        ramp_probability=forecast.probability_beyond(context.limits.ramp_limit_kw),
        model=forecast.model,
        outlook_step_s=context.limits.interval_s,
        outlook_kw=[] if course is None else course.levels_kw,
        outlook_sigma_kw=[] if course is None else course.sigma_kw,
        drivers=_drivers(context, forecast) if request.explain else [],
    )


def _at_horizon(context: ToolContext, forecast: Forecast, horizon: timedelta) -> Forecast:
    if horizon == forecast.target_at - forecast.issued_at:
        return forecast
    try:
        return _model_of(context, forecast, "horizon_min").at_horizon(context.reader, forecast, horizon)
    except ModelError as error:
        raise ToolUnavailableError(f"horizon_min: {error}") from error


def _drivers(context: ToolContext, forecast: Forecast) -> list[ForecastDriver]:
    try:
        found = _model_of(context, forecast, "explain").drivers(context.reader, forecast)
    except ModelError as error:
        raise ToolUnavailableError(f"explain=true: {error}") from error
    return [ForecastDriver(family=driver.family, change_kw=driver.change_kw) for driver in found]


def _model_of(context: ToolContext, forecast: Forecast, asked: str) -> Explainer:
    if forecast.model == OUTLOOK_MODEL:
        raise ToolUnavailableError(
            f"{asked}: the newest forecast is the outlook's (telemetry is not believed); ask without it"
        )
    if context.explainer is None:
        raise ToolUnavailableError(f"{asked}: there is no model here to ask; leave it out")
    return context.explainer


tool = Tool(
    name="forecast_net_load",
    title="Forecast net load",
    description=(
        "P10/P50/P90 of a site's net load in 30 minutes in kW; on request an outlook of hours, another"
        " horizon, what drives the forecast. Fails when stale."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=ForecastRequest,
    output_model=ForecastAnswer,
    run=run,
    toolset="grid",
)
