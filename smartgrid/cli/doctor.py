"""``smartgrid doctor``: what is configured, reachable and missing, and how to fix it."""

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, LimitsOption, StateOption
from smartgrid.cli.output import console, print_json

MARKS = {"ok": "[green]ok[/]", "missing": "[yellow]–[/]", "wrong": "[bold red]wrong[/]"}


def doctor(state: StateOption = None, limits: LimitsOption = None, as_json: JsonOption = False) -> None:
    """Look at everything and change nothing; exit code 1 when something is wrong (missing is not)."""
    from dataclasses import asdict

    from smartgrid.doctor import examine
    from smartgrid.settings import load_settings

    findings = examine(load_settings(state=state, limits=limits))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table("", "what", "found", "to do", box=None, pad_edge=False)
        for finding in findings:
            table.add_row(MARKS[finding.level], finding.what, finding.detail, finding.fix)
        console.print(table)
    raise typer.Exit(1 if any(finding.level == "wrong" for finding in findings) else 0)
