"""``smartgrid halt`` and ``smartgrid resume``: the kill switch of the autonomy."""

from typing import Annotated

import typer

from smartgrid.cli.options import StateOption
from smartgrid.cli.output import console


def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")],
    state: StateOption = None,
) -> None:
    """Stop all autonomous action within one tick; assets go to their safe setpoints."""
    from smartgrid.joined import open_ledger, this_user
    from smartgrid.settings import load_settings

    open_ledger(load_settings(state=state)).set_halted(halted=True, by=f"local:{this_user()}", reason=reason)
    console.print("The autonomy is halted. Resume it with: smartgrid resume --reason …")


def resume(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")],
    state: StateOption = None,
) -> None:
    """Let the autonomy act again; recorded as the duty operator's decision."""
    from smartgrid.joined import open_ledger, this_user
    from smartgrid.settings import load_settings

    open_ledger(load_settings(state=state)).set_halted(
        halted=False, by=f"operator:{this_user()}", reason=reason
    )
    console.print("The autonomy may act again.")
