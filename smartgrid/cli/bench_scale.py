"""``smartgrid bench scale``: what many sites need, from costs measured here, and how good that is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.kafka_options import BrokersOption
from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.scale import Measured, Scale


def scale(
    quick: Annotated[
        bool, typer.Option("--quick", help="A look within two minutes; its figures scatter.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Keep what was measured in this file.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Measure nothing: take what --out kept.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
    brokers: BrokersOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Machines for 10 thousand, a million and 100 million sites; the model tested on runs it has not seen.

    InfluxDB and PostgreSQL are measured where the settings name them, in a bucket and a schema of
    their own. Exit code 1 when a prediction is more than 20 % off.
    """
    from smartgrid.bench.scale import Scale, load, save
    from smartgrid.bench.scale_report import document
    from smartgrid.bench.scale_report import markdown as as_markdown

    measured = load(source) if source is not None else _measure(brokers, state, quick=quick)
    if out is not None:
        save(measured, out)
    found = Scale(measured)
    if as_json:
        print_json(document(found))
    elif markdown:
        typer.echo(as_markdown(found), nl=False)
    else:
        _show(found)
    raise typer.Exit(0 if found.holds else 1)


def _measure(brokers: str | None, state: Path | None, *, quick: bool) -> "Measured":
    from smartgrid.bench.scale import QUICK, ScalePlan, bench_scale
    from smartgrid.influx_access import influx_target
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.settings import load_settings

    settings = load_settings(state=state)
    url = settings.ledger_url
    return bench_scale(
        kafka_connection(settings, brokers),
        QUICK if quick else ScalePlan(),
        lambda step: errors.print(step, highlight=False),
        influx=None if settings.influx_url is None else influx_target(settings),
        postgres_url=None if url is None else url.get_secret_value().strip(),
    )


def _show(found: "Scale") -> None:
    from smartgrid.bench.scale_report import sheets, verdict

    for sheet in sheets(found):
        table = Table(title=sheet.title, title_justify="left")
        for number, name in enumerate(sheet.names):
            table.add_column(name, justify="right" if number else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    console.print(verdict(found), highlight=False)
