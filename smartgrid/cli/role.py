"""How a long-running role starts: its settings, its logs, and what it says of itself."""

import logging
from typing import TYPE_CHECKING, Any

from rich.console import Console

from smartgrid.cli.output import console

if TYPE_CHECKING:
    from smartgrid.settings import Settings

logger = logging.getLogger(__name__)


def start_role(**given: Any) -> "Settings":
    """The settings as :func:`smartgrid.settings.load_settings` reads them, with logs as they ask."""
    from smartgrid.logs import start_logging
    from smartgrid.settings import load_settings

    settings = load_settings(**given)
    start_logging(settings)
    return settings


def announce(settings: "Settings", text: str, to: Console = console) -> None:
    """Say something to whoever started the role.

    Args:
        settings: where logs are JSON, it becomes one of them, at level INFO.
        text: what to say.
        to: where else it is said; standard output unless that speaks a protocol.
    """
    if settings.log_format == "json":
        logger.info("%s", text)
    else:
        to.print(text, highlight=False, soft_wrap=True)
