"""``smartgrid install``: what connects this program with others on the machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

app = typer.Typer(
    no_args_is_help=True, help="Connect Claude Desktop with this program, or take it out again."
)


@app.callback()
def install() -> None:
    """Keeps the name of the client a word of its own."""


@app.command("claude-desktop")
def claude_desktop(
    state: StateOption = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer no tool that acts.")] = False,
    name: Annotated[
        str, typer.Option("--name", help="Of the server in Claude Desktop; one for each state directory.")
    ] = "smartgrid",
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take the server out again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change the file without asking.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Claude Desktop's file, where it is not the usual one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add the MCP server to Claude Desktop: shows what changes, asks, keeps a copy of the file as it was.

    Other servers and settings in the file stay as they are. Start Claude Desktop anew afterwards.
    """
    from smartgrid import claude_desktop as desktop
    from smartgrid.settings import load_settings

    path = config or Path(desktop.config_file())
    if uninstall:
        change = desktop.plan_uninstall(path, name)
    else:
        entry = desktop.our_entry(
            load_settings(state=state).state, read_only=read_only, config=os.environ.get("SMARTGRID_CONFIG")
        )
        change = desktop.plan_install(path, name, entry)
    backup = None
    if change.needed:
        typer.echo(f"{path}:\n{change.shown}", err=True)
        if not yes:
            typer.confirm("Change the file so?", abort=True, err=True)
        backup = desktop.apply(change)
    if as_json:
        kept = None if backup is None else str(backup)
        print_json({"file": str(path), "changed": change.needed, "backup": kept})
    else:
        console.print(_said(change.needed, backup), highlight=False, markup=False, soft_wrap=True)


def _said(changed: bool, backup: Path | None) -> str:
    if not changed:
        return "nothing to change"
    kept = "" if backup is None else f"; the file as it was: {backup}"
    return f"done{kept}. Start Claude Desktop anew to see it"
