"""get_grid_status: everything that matters now, in one answer."""

import math
from datetime import datetime, timedelta

from pydantic import Field

from grid.assets import BatterySpec, PeakerSpec
from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.forecasting.followed_drift import followed_drift
from pipeline.timestamps import from_micros
from policies.principal import SCOPE_READ
from tools.contract import AssetsView, PendingApproval, SiteInfo, Tool, ToolContext, ToolInput, ToolOutput
from tools.freshness import age_s_of, is_stale
from tools.intervals import interval_start, past_means

EVENTS_LOOKED_BACK = timedelta(hours=24)


class StatusRequest(ToolInput):
    """Nothing to choose."""


class ForecastQuality(ToolOutput):
    """How good a site's forecasts were over the last days, the newer the more they count."""

    forecasts: float = Field(description="judged, by weight")
    skill_persistence: float | None = Field(description="1 - mean error / that of no change")
    skill_drift: float | None = Field(description="against the same-time change of past days")
    coverage: float | None = Field(description="share in P10-P90; 0.8 is promised")
    band_factor: float = Field(description="that widens the forecast's band")
    degraded: bool = Field(description="then: smartgrid train --if-degraded")
    degraded_since: datetime | None
    reasons: list[str]


class SiteStatus(ToolOutput):
    """A site's newest pulse and forecast; powers in kW, positive imports."""

    site: str
    ts_utc: datetime | None
    age_s: float | None
    stale: bool = Field(description="too old to act on")
    net_load_kw: float | None = Field(alias="Net_Load_kW")
    predicted_30min_change: float | None = Field(alias="Predicted_30min_Change")
    price_per_mwh: float | None
    frequency_hz: float | None
    forecast_quality: ForecastQuality | None = Field(description="None before any forecast was judged")


class BatteryStatus(ToolOutput):
    """The battery; power positive discharges. None before its first report."""

    power_kw: float | None
    setpoint_kw: float | None
    soc_kwh: float | None
    soc_pct: float | None
    cycles_today: float
    max_power_kw: float
    energy_kwh: float
    round_trip_efficiency: float
    ramp_kw_per_s: float | None = Field(description="None: unlimited")
    wear_usd_per_mwh: float
    soc_min: float
    soc_max: float
    max_cycles_per_day: float


class PeakerStatus(ToolOutput):
    """The gas peaker. None before its first report."""

    power_kw: float | None
    setpoint_kw: float | None
    on: bool | None
    in_state_s: float | None = Field(description="how long on, or off; None: since ever")
    starts_today: int
    max_power_kw: float
    min_power_kw: float
    ramp_kw_per_s: float | None = Field(description="None: unlimited")
    min_up_s: float
    min_down_s: float
    start_usd: float
    heat_rate_mmbtu_per_mwh: float
    fuel_usd_per_mmbtu: float
    upkeep_usd_per_mwh: float
    max_starts_per_day: int


class EventStatus(ToolOutput):
    """An open instability event."""

    event_id: str
    site: str
    kind: str
    started_at: datetime
    severity: str
    cause_kw: float | None


class ApprovalStatus(ToolOutput):
    """A request that waits for an operator, or was decided and not yet carried out."""

    approval_id: str
    state: str
    tool: str
    asset: str
    power_kw: float
    duration_min: float
    requester: str
    reason: str
    rules: list[str]
    expires_at: datetime


class SupervisorStatus(ToolOutput):
    """The supervisor's last sign of life."""

    mode: str = Field(description="live, or shadow: it actuates nothing")
    heartbeat_age_s: float = Field(description="a few seconds in a living one")
    alarm: str | None = Field(description="why its watchdog keeps the assets safe")


class GridStatus(ToolOutput):
    """The grid now."""

    now: datetime
    halted: bool = Field(description="the autonomy is")
    supervisor: SupervisorStatus | None = Field(description="None where none has run")
    currency: str
    interval_start: datetime = Field(description="setpoints change at interval borders")
    interval_s: float
    ramp_limit_kw: float
    sites: list[SiteStatus]
    native_means_kw: list[float | None] = Field(
        description="interval means of the last 30 min without our assets, oldest first"
    )
    metered_means_kw: list[float | None] = Field(description="the same with our assets")
    battery: BatteryStatus
    peaker: PeakerStatus
    events: list[EventStatus]
    approvals: list[ApprovalStatus]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _site(context: ToolContext, site: SiteInfo) -> SiteStatus:
    pulses = context.reader.latest(site.name, 1)
    forecast = context.reader.latest_forecast(site.name)
    newest = pulses[-1] if pulses else None
    age_s = None if newest is None else age_s_of(context, newest.ts_utc)
    live = forecast is not None and not is_stale(context, site, age_s_of(context, forecast.issued_at))
    return SiteStatus(
        site=site.name,
        ts_utc=None if newest is None else newest.ts_utc,
        age_s=age_s,
        stale=is_stale(context, site, age_s),
        net_load_kw=None if newest is None else newest.net_load_kw,
        predicted_30min_change=forecast.p50_kw if forecast is not None and live else None,
        price_per_mwh=None if newest is None else newest.price_usd_per_mwh,
        frequency_hz=None if newest is None else newest.frequency_hz,
        forecast_quality=None if forecast is None else _quality(context, site),
    )


def _quality(context: ToolContext, site: SiteInfo) -> ForecastQuality | None:
    report = followed_drift(context.reader).report(site.name, site.cadence_s, context.clock.now())
    if report.weight <= 0.0:
        return None
    return ForecastQuality(
        forecasts=report.weight,
        skill_persistence=_finite(report.skill_persistence),
        skill_drift=_finite(report.skill_drift),
        coverage=_finite(report.coverage),
        band_factor=report.factor,
        degraded=report.degraded,
        degraded_since=None if report.since_us is None else from_micros(report.since_us),
        reasons=list(report.reasons),
    )


def _battery(spec: BatterySpec, assets: AssetsView) -> BatteryStatus:
    readings = assets.readings
    soc_kwh = None if readings is None else readings.battery.soc_kwh
    return BatteryStatus(
        power_kw=None if readings is None else readings.battery.power_kw,
        setpoint_kw=None if readings is None else readings.battery_setpoint_kw,
        soc_kwh=soc_kwh,
        soc_pct=None if soc_kwh is None else 100.0 * soc_kwh / spec.energy_kwh,
        cycles_today=assets.cycles_today,
        max_power_kw=spec.power_kw,
        energy_kwh=spec.energy_kwh,
        round_trip_efficiency=spec.round_trip_efficiency,
        ramp_kw_per_s=_finite(spec.ramp_kw_per_s),
        wear_usd_per_mwh=spec.wear_usd_per_mwh,
        soc_min=spec.soc_min,
        soc_max=spec.soc_max,
        max_cycles_per_day=spec.max_cycles_per_day,
    )


def _peaker(spec: PeakerSpec, assets: AssetsView) -> PeakerStatus:
    readings = assets.readings
    return PeakerStatus(
        power_kw=None if readings is None else readings.peaker.power_kw,
        setpoint_kw=None if readings is None else readings.peaker_setpoint_kw,
        on=None if readings is None else readings.peaker.on,
        in_state_s=None if readings is None else _finite(readings.peaker.in_state_s),
        starts_today=assets.starts_today,
        max_power_kw=spec.power_kw,
        min_power_kw=spec.min_power_kw,
        ramp_kw_per_s=_finite(spec.ramp_kw_per_s),
        min_up_s=spec.min_up_s,
        min_down_s=spec.min_down_s,
        start_usd=spec.start_usd,
        heat_rate_mmbtu_per_mwh=spec.heat_rate_mmbtu_per_mwh,
        fuel_usd_per_mmbtu=spec.fuel_usd_per_mmbtu,
        upkeep_usd_per_mwh=spec.upkeep_usd_per_mwh,
        max_starts_per_day=spec.max_starts_per_day,
    )


def _events(context: ToolContext, now: datetime) -> list[EventStatus]:
    since = now - EVENTS_LOOKED_BACK
    return [
        EventStatus(
            event_id=event.event_id,
            site=event.site,
            kind=event.kind,
            started_at=event.started_at,
            severity=event.severity,
            cause_kw=event.cause_kw,
        )
        for site in context.sites
        for event in context.reader.events(site, since)
        if event.ended_at is None
    ]


def _supervisor(context: ToolContext) -> SupervisorStatus | None:
    seen = context.desk.supervisor()
    if seen is None:
        return None
    return SupervisorStatus(mode=seen.mode, heartbeat_age_s=seen.heartbeat_age_s, alarm=seen.alarm)


def _approval(approval: PendingApproval) -> ApprovalStatus:
    return ApprovalStatus(
        approval_id=approval.approval_id,
        state=approval.state,
        tool=approval.tool,
        asset=approval.asset,
        power_kw=approval.power_kw,
        duration_min=approval.duration_s / 60.0,
        requester=approval.requester,
        reason=approval.reason,
        rules=list(approval.rules),
        expires_at=approval.expires_at,
    )


async def run(request: StatusRequest, context: ToolContext) -> GridStatus:  # noqa: ARG001  the contract's signature
    """Gather the status from the store, the devices' reports and the desk."""
    now = context.clock.now()
    border = interval_start(now, context.limits.interval_s)
    assets = context.desk.assets()
    return GridStatus(
        now=now,
        halted=context.desk.halted(),
        supervisor=_supervisor(context),
        currency=context.currency,
        interval_start=border,
        interval_s=context.limits.interval_s,
        ramp_limit_kw=context.limits.ramp_limit_kw,
        sites=[_site(context, site) for site in context.sites.values()],
        native_means_kw=past_means(context.reader, NATIVE_SITE, border, context.limits.interval_s),
        metered_means_kw=past_means(context.reader, AREA_SITE, border, context.limits.interval_s),
        battery=_battery(context.limits.battery, assets),
        peaker=_peaker(context.limits.peaker, assets),
        events=_events(context, now),
        approvals=[_approval(approval) for approval in context.desk.approvals()],
    )


tool = Tool(
    name="get_grid_status",
    title="Grid status",
    description=(
        "The grid now: net load, forecast change, its age and recent quality per site, battery, peaker, open"
        " instability events, pending approvals, whether autonomy is halted."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=StatusRequest,
    output_model=GridStatus,
    run=run,
    toolset="grid",
)
