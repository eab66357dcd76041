"""What the settings say that an MCP server offers."""

from mcp_server.offer import Offer
from smartgrid.settings import Settings
from tools.registry import discover_tools


def offer_of(settings: Settings) -> Offer:
    """The offer of a role that serves clients; it looks for changes once a pulse."""
    return Offer(
        toolsets=settings.toolsets,
        tools=settings.tools,
        read_only=settings.read_only,
        tool_timeout_s=settings.tool_timeout_s,
        watch_s=settings.pulse_s,
    )


def require_installed(settings: Settings) -> None:
    """Refuse names of tools and toolsets before a plant is brought up for them.

    Raises:
        ServeError: for a name that is not installed, naming those that are.
    """
    if settings.toolsets is not None or settings.tools is not None:
        offer_of(settings).chosen(discover_tools().tools)
