"""What the author of a tool package imports; all of it stays as it is within a version of the product.

A package adds a tool by an entry point of the group ``smartgrid.tools`` that names a :class:`Tool`. See
``docs/plugins.md``; :mod:`smartgrid.testing` checks a tool against what is asked of it.
"""

from dispatch.service import DispatchOutcome
from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from knowledge.index import Passage
from pipeline.forecast import Forecast
from policies.limits import PlantLimits
from policies.principal import SCOPE_DISPATCH, SCOPE_READ, Principal
from policies.proposal import AssetName
from policies.verdict import Finding
from tools.contract import (
    AssetsView,
    Effect,
    PendingApproval,
    SiteInfo,
    SiteName,
    Tool,
    ToolContext,
    ToolInput,
    ToolOutput,
    UtcTime,
)
from tools.errors import ToolDefinitionError, ToolInputError, ToolScopeError, ToolUnavailableError
from tools.expected_course import ExpectedCourse, expected_course
from tools.freshness import age_s_of, is_stale, max_age_s
from tools.intervals import interval_start, local_day

__all__ = [
    "AREA_SITE",
    "NATIVE_SITE",
    "SCOPE_DISPATCH",
    "SCOPE_READ",
    "AssetName",
    "AssetsView",
    "DispatchOutcome",
    "Effect",
    "ExpectedCourse",
    "Finding",
    "Forecast",
    "Passage",
    "PendingApproval",
    "PlantLimits",
    "PriceQuote",
    "Principal",
    "SiteInfo",
    "SiteName",
    "Telemetry",
    "Tool",
    "ToolContext",
    "ToolDefinitionError",
    "ToolInput",
    "ToolInputError",
    "ToolOutput",
    "ToolScopeError",
    "ToolUnavailableError",
    "UtcTime",
    "age_s_of",
    "expected_course",
    "interval_start",
    "is_stale",
    "local_day",
    "max_age_s",
]
