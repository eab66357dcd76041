"""``smartgrid halt`` and ``smartgrid resume``: the kill switch of the autonomy."""

import time
from typing import Annotated

import typer

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]


def halt(reason: ReasonOption, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Stop all autonomous action; the assets go to their safe setpoints.

    A file named halt in the state directory does the same, where this command cannot.
    """
    from dispatch import flags
    from dispatch.plant_clock import LedgerClock
    from policies.principal import local_principal
    from smartgrid.ledger_access import open_ledger, this_user
    from smartgrid.settings import load_settings

    with open_ledger(load_settings(state=state)) as ledger:
        now = LedgerClock(ledger, time.time).now()
        halted = flags.halt(ledger, local_principal(this_user()), reason, now)
    if as_json:
        print_json({"halted": True, "by": halted.by, "at": halted.at.isoformat(), "reason": halted.reason})
        return
    console.print("The autonomy is halted. Resume it with: smartgrid resume --reason …")


def resume(reason: ReasonOption, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Let the autonomy act again; recorded as the duty operator's decision.

    Refused while the file halt lies in the state directory.
    """
    from dispatch import flags
    from dispatch.plant_clock import LedgerClock
    from policies.principal import operator_principal
    from smartgrid.halt_file import require_no_halt_file
    from smartgrid.ledger_access import open_ledger, this_user
    from smartgrid.settings import load_settings

    settings = load_settings(state=state)
    with open_ledger(settings) as ledger:
        require_no_halt_file(settings.state)
        now = LedgerClock(ledger, time.time).now()
        operator = operator_principal(this_user())
        flags.resume(ledger, operator, reason, now)
    if as_json:
        print_json({"halted": False, "by": operator.subject, "at": now.isoformat(), "reason": reason})
        return
    console.print("The autonomy may act again.")
