"""check_telemetry: can the meter be believed?"""

from datetime import datetime

from pydantic import Field

from grid.telemetry import NATIVE_SITE
from pipeline.family_balance import family_imbalance
from pipeline.trust import TrustReport, assess
from policies.principal import SCOPE_READ
from tools.contract import SiteName, Tool, ToolContext, ToolInput, ToolOutput
from tools.freshness import age_s_of, is_stale


class CheckRequest(ToolInput):
    """Which site."""

    site: SiteName = NATIVE_SITE


class CheckAnswer(ToolOutput):
    """How far a site's telemetry can be trusted."""

    site: str
    trust: float = Field(description="0 (do not act on it) to 1")
    trusted: bool = Field(description="autonomy may act, on it or its stand-in")
    score: float | None = Field(description="1: one false alarm a day, of a fitted detector; else deviations")
    alarm: bool
    channel: str | None = Field(description="suspected")
    kind: str | None = Field(description="suspected fault or attack")
    since: datetime | None
    substitute_kw: float | None = Field(description="stand-in for the newest net load, never a measurement")
    substitute_from: str | None = Field(description="what that rests on")
    age_s: float | None = Field(description="of the newest pulse")
    stale: bool


async def run(request: CheckRequest, context: ToolContext) -> CheckAnswer:
    """Assess the site's newest telemetry."""
    site = context.site(request.site)
    report = assess(context.reader, site.name, context.clock.now())
    odd_since = family_imbalance(context.reader, site.name, _children(context, site.name))
    if odd_since is not None and report.reliance >= context.limits.min_trust:
        report = TrustReport(0.0, report.score, True, "net_load_kw", "area_balance", odd_since)
    newest = context.reader.latest(site.name, 1)
    age_s = age_s_of(context, newest[-1].ts_utc) if newest else None
    return CheckAnswer(
        site=site.name,
        trust=report.trust,
        trusted=report.reliance >= context.limits.min_trust,
        score=report.score,
        alarm=report.alarm,
        channel=report.channel,
        kind=report.kind,
        since=report.since,
        substitute_kw=report.substitute_kw,
        substitute_from=report.substitute_from,
        age_s=age_s,
        stale=is_stale(context, site, age_s),
    )


def _children(context: ToolContext, area: str) -> list[str]:
    """The sites that add up to an area; the area gross of our own assets is none of them."""
    return [site.name for site in context.sites.values() if site.parent == area and site.name != NATIVE_SITE]


tool = Tool(
    name="check_telemetry",
    title="Check telemetry",
    description=(
        "Whether a site's telemetry can be trusted: score, alarm, suspected channel and kind, since when,"
        " a stand-in for the newest net load, age."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=CheckRequest,
    output_model=CheckAnswer,
    run=run,
    toolset="grid",
)
