"""``smartgrid store``: what the series store needs on an InfluxDB server."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from datetime import timedelta

app = typer.Typer(no_args_is_help=True, help="The series store on an InfluxDB server.")


@app.callback()
def store() -> None:
    """The series store on an InfluxDB server."""


@app.command("init")
def init(
    update: Annotated[
        bool,
        typer.Option("--update", help="Also change what differs. A shorter retention deletes what is older."),
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the buckets, their retention and the downsampling task; say what is there and what differs."""
    from dataclasses import asdict

    from pipeline.influx_setup import prepare_store
    from smartgrid.influx_access import influx_target
    from smartgrid.settings import load_settings

    settings = load_settings(state=state)
    findings = prepare_store(
        influx_target(settings),
        retention=_days(settings.influx_retention_days),
        means_retention=_days(settings.influx_means_retention_days),
        update=update,
    )
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return
    table = Table("part", "state", "wanted", "found before")
    for finding in findings:
        table.add_row(finding.part, finding.state, finding.wanted, finding.found or "nothing")
    console.print(table)
    if any(finding.state == "differs" for finding in findings):
        console.print("what differs was left as it is; change it with: smartgrid store init --update")


def _days(days: int) -> "timedelta | None":
    from datetime import timedelta

    return timedelta(days=days) or None
