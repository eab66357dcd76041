"""Cards: what a client with MCP Apps shows beside an answer; the others have its text, as before.

A card is one page without any address in it. It shows what the tool answered, calls no tool and decides
nothing: for a request that waits it has the console's link.
"""

from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from mcp.server.apps import Apps

FORECAST: Final = "ui://smartgrid/forecast"
DISPATCH: Final = "ui://smartgrid/dispatch"
CARD_OF: Final[Mapping[str, str]] = {
    "forecast_net_load": FORECAST,
    "charge_battery": DISPATCH,
    "discharge_battery": DISPATCH,
    "dispatch_peaker": DISPATCH,
}
"""The card that shows a tool's answer."""
_TITLES: Final = {FORECAST: "Forecast with its band", DISPATCH: "What became of a dispatch"}


def cards_for(tools: Collection[str]) -> Apps:
    """The extension with the cards of the tools that are offered.

    Args:
        tools: their names.
    """
    apps = Apps()
    for uri in dict.fromkeys(CARD_OF[name] for name in tools if name in CARD_OF):
        name = uri.rsplit("/", 1)[-1]
        apps.add_html_resource(
            uri,
            page_of(uri),
            name=f"{name}_card",
            title=_TITLES[uri],
            description=_TITLES[uri],
            prefers_border=True,
        )
    return apps


def card_meta(tool: str) -> dict[str, Any] | None:
    """What a tool's listing says of its card; None where it has none."""
    uri = CARD_OF.get(tool)
    return None if uri is None else {"ui": {"resourceUri": uri}}


def is_card(uri: str) -> bool:
    """Whether an address is a card's: clients find those through the tools, and people need not see them."""
    return uri in _TITLES


@cache
def page_of(uri: str) -> str:
    """The card's page: everything that it needs is in it."""
    name = uri.rsplit("/", 1)[-1]
    page = _file("card.html").replace("{title}", _TITLES[uri])
    return page.replace("{host}", _file("host.js")).replace("{card}", _file(f"{name}.js"))


def _file(name: str) -> str:
    return (files("mcp_server") / "cards" / name).read_text("utf-8")
