"""check_telemetry: can the meter be believed?"""

from datetime import datetime

from pydantic import Field

from grid.telemetry import NATIVE_SITE
from pipeline.trust import assess
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
    trusted: bool = Field(description="whether autonomy may act on it")
    score: float | None = Field(description="largest normalised residual, in deviations")
    alarm: bool
    channel: str | None = Field(description="suspected channel")
    kind: str | None = Field(description="suspected kind of fault or attack")
    since: datetime | None
    age_s: float | None = Field(description="seconds since the newest pulse's stamp")
    stale: bool


async def run(request: CheckRequest, context: ToolContext) -> CheckAnswer:
    """Assess the site's newest telemetry."""
    site = context.site(request.site)
    report = assess(context.reader, site.name, context.clock.now())
    newest = context.reader.latest(site.name, 1)
    age_s = age_s_of(context, newest[-1].ts_utc) if newest else None
    return CheckAnswer(
        site=site.name,
        trust=report.trust,
        trusted=report.trust >= context.limits.min_trust,
        score=report.score,
        alarm=report.alarm,
        channel=report.channel,
        kind=report.kind,
        since=report.since,
        age_s=age_s,
        stale=is_stale(context, site, age_s),
    )


tool = Tool(
    name="check_telemetry",
    title="Check telemetry",
    description="Whether a site's telemetry can be trusted: residual score, alarm, suspected channel, age.",
    effect="read",
    scope=SCOPE_READ,
    input_model=CheckRequest,
    output_model=CheckAnswer,
    run=run,
)
