"""``smartgrid config``: what the settings are, whether they are right, and a file to begin with."""

from typing import Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

app = typer.Typer(no_args_is_help=True, help="Settings: show, check, or write a file to begin with.")

PrintOption = Annotated[bool, typer.Option("--print", help="Print the text instead of writing it.")]


@app.command("show")
def show(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Every setting, its value, where that comes from and what it is for; secrets are masked."""
    from dataclasses import asdict

    from smartgrid.settings import load_settings
    from smartgrid.settings_fields import current_values

    values = current_values(load_settings(state=state), {"state": state})
    if as_json:
        print_json([asdict(value) for value in values])
        return
    table = Table("setting", "value", "from", "what for", box=None, pad_edge=False)
    for found in values:
        value = "–" if found.value is None else str(found.value)
        table.add_row(found.name, value, found.source, found.description)
    console.print(table, markup=False, highlight=False)


@app.command("check")
def check(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Whether the settings are right; exit code 1 when not. `smartgrid doctor` also looks who answers."""
    from dataclasses import asdict

    from smartgrid.settings_check import find_problems

    problems = find_problems(state=state)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif not problems:
        console.print("the settings are right")
    for problem in () if as_json else problems:
        value = f" = {problem.value}" if problem.value else ""
        typer.echo(f"{problem.field}{value}: {problem.problem}\n    {problem.fix}")
    raise typer.Exit(1 if problems else 0)


@app.command("init")
def init(state: StateOption = None, print_it: PrintOption = False, as_json: JsonOption = False) -> None:
    """Write a smartgrid.toml that lists every setting, commented out; one that is there stays."""
    from smartgrid.settings import config_file, state_directory
    from smartgrid.settings_file import settings_text, write_settings_file

    if print_it:
        typer.echo(settings_text(), nl=False)
        return
    path = config_file(state_directory(state))
    write_settings_file(path)
    if as_json:
        print_json({"file": str(path)})
    else:
        console.print(f"{path} is written: take the # off what you change", highlight=False, soft_wrap=True)
