"""The ledger that the settings name, and who works at this machine; light, for commands that need no more."""

import getpass
import time

from dispatch.lease import Lease
from dispatch.ledger import Ledger
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
        NoLedgerError: where there is none, so that a mistyped directory does not become a new plant.
        LedgerError: if it cannot be opened.
    """
    return _ledger(settings, create=False)


def make_ledger(settings: Settings) -> Ledger:
    """The ledger of a plant that starts here, made where there is none.

    Raises:
        LedgerError: if it cannot be opened.
    """
    return _ledger(settings, create=True)


def _ledger(settings: Settings, *, create: bool) -> Ledger:
    url = settings.ledger_url
    return Ledger(
        settings.state,
        None if url is None else url.get_secret_value().strip(),
        key_file=settings.ledger_key_file,
        create=create,
    )


def owner_of(ledger: Ledger) -> str | None:
    """The process that owns the plant now; None when nobody does."""
    return Lease(ledger, "", time.time).holder()
