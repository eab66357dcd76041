"""Where the console is served now, and links to it; light, for commands that need no more of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec

from dispatch.service import DispatchOutcome
from smartgrid.operator_token import ConsoleLinks, new_link_code
from smartgrid.public_url import public_url
from smartgrid.settings import Settings
from smartgrid.tokens import TokenStore

P = ParamSpec("P")
ConsoleAddress = Callable[[], str | None]


def address_file(settings: Settings) -> Path:
    """Holds scheme and host of the console while one is served."""
    return settings.state / "console.url"


def console_address(settings: Settings) -> str | None:
    """Scheme and host of the console that is served over this state directory; None where none is."""
    try:
        return address_file(settings).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def no_console() -> None:
    """Where nobody serves a console."""


def new_link(settings: Settings) -> str:
    """The address that logs into the console once; its code stands in the fragment.

    Raises:
        TokenError: when there is no valid operator token in the state directory.
        ServeError: when the address is not known.
    """
    store, links = TokenStore(settings.tokens_db), ConsoleLinks(settings.tokens_db)
    code = new_link_code(store, links, settings.operator_token_file)
    return f"{console_address(settings) or public_url(settings)}/console/login#{code}"


def approval_page(address: ConsoleAddress, approval_id: str | None) -> str | None:
    """The page where a request is decided, by whoever logs in there; None while no console is served."""
    base_url = address()
    return None if base_url is None else f"{base_url}/console/approvals/{approval_id}"


def naming_the_console(
    propose: Callable[P, DispatchOutcome], address: ConsoleAddress
) -> Callable[P, DispatchOutcome]:
    """Let the answer that waits for a person name the page where that person decides."""

    def told(*args: P.args, **kwargs: P.kwargs) -> DispatchOutcome:
        outcome, page = propose(*args, **kwargs), None
        if outcome.status == "pending_approval":
            page = approval_page(address, outcome.approval_id)
        if page is None:
            return outcome
        return replace(outcome, message=f"{outcome.message}; an operator decides at {page}")

    return told
