"""How old is too old. Ages count from a measurement's stamp, the start of its interval."""

from datetime import datetime

from tools.contract import SiteInfo, ToolContext

STALE_AFTER_PULSES = 3
"""Two pulses may be late or lost; from the third on a site counts as stale."""


def age_s_of(context: ToolContext, ts_utc: datetime) -> float:
    """Seconds since ``ts_utc``; never negative."""
    return max(0.0, (context.clock.now() - ts_utc).total_seconds())


def max_age_s(context: ToolContext, site: SiteInfo) -> float:
    """Largest age in seconds at which a site's telemetry, or a forecast on it, still counts as live.

    The limits' own, which the guardrails hold, or three pulses of a slower site.
    """
    return max(context.limits.max_age_s, STALE_AFTER_PULSES * site.cadence_s)


def is_stale(context: ToolContext, site: SiteInfo, age_s: float | None) -> bool:
    """Whether telemetry of that age must not look live; nothing at all is stale too."""
    return age_s is None or age_s > max_age_s(context, site)
