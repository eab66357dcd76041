"""All pages of the reference, by the name of their file."""

from collections.abc import Callable, Mapping

from smartgrid.reference.commands_page import commands_page
from smartgrid.reference.limits_page import limits_page
from smartgrid.reference.metrics_page import metrics_page
from smartgrid.reference.settings_page import settings_page
from smartgrid.reference.tools_page import tools_page

PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "limits.md": limits_page,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
    "tools.md": tools_page,
}
