"""The ledger of a state directory, and who works at this machine; light, for commands that need no more."""

import getpass
import time

from dispatch.lease import Lease
from dispatch.ledger import Ledger
from smartgrid.errors import RoleError
from smartgrid.settings import Settings


def this_user() -> str:
    """Who works at this machine; the name behind ``local:`` and ``operator:``."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry in the user database, as in some containers
        return "user"


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of a plant that has run here.

    Raises:
        RoleError: where there is none, so that a mistyped directory does not become a new plant.
        LedgerError: if it cannot be opened.
    """
    if not settings.ledger_db.is_file():
        raise RoleError(f"{settings.ledger_db}: no plant has run here yet; start one: smartgrid up")
    return Ledger(settings.state)


def owner_of(ledger: Ledger) -> str | None:
    """The process that owns the plant now; None when nobody does."""
    return Lease(ledger, "", time.time).holder()
