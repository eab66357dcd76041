"""``smartgrid halt`` and ``smartgrid resume``: the kill switch of the autonomy."""

import time
from typing import Annotated

import typer

from smartgrid.cli.options import StateOption
from smartgrid.cli.output import console

ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]


def halt(reason: ReasonOption, state: StateOption = None) -> None:
    """Stop all autonomous action; the assets go to their safe setpoints."""
    from dispatch import flags
    from dispatch.plant_clock import LedgerClock
    from policies.principal import local_principal
    from smartgrid.ledger_access import open_ledger, this_user
    from smartgrid.settings import load_settings

    with open_ledger(load_settings(state=state)) as ledger:
        now = LedgerClock(ledger, time.time).now()
        flags.halt(ledger, local_principal(this_user()), reason, now)
    console.print("The autonomy is halted. Resume it with: smartgrid resume --reason …")


def resume(reason: ReasonOption, state: StateOption = None) -> None:
    """Let the autonomy act again; recorded as the duty operator's decision."""
    from dispatch import flags
    from dispatch.plant_clock import LedgerClock
    from policies.principal import operator_principal
    from smartgrid.ledger_access import open_ledger, this_user
    from smartgrid.settings import load_settings

    with open_ledger(load_settings(state=state)) as ledger:
        now = LedgerClock(ledger, time.time).now()
        flags.resume(ledger, operator_principal(this_user()), reason, now)
    console.print("The autonomy may act again.")
