"""``smartgrid bench``: figures that anybody can run again, beside what they are compared to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.bench_arbitrage import arbitrage
from smartgrid.cli.bench_console import console as console_pages
from smartgrid.cli.bench_day import day
from smartgrid.cli.bench_fdia import fdia
from smartgrid.cli.bench_forecast import forecast
from smartgrid.cli.bench_knowledge import knowledge
from smartgrid.cli.bench_scale import scale
from smartgrid.cli.bench_server import server
from smartgrid.cli.kafka_options import BrokersOption
from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.stream import BenchPlan, StreamResult

app = typer.Typer(no_args_is_help=True, help="Benchmarks, side by side with their references.")
app.command("forecast")(forecast)
app.command("arbitrage")(arbitrage)
app.command("day")(day)
app.command("console")(console_pages)
app.command("fdia")(fdia)
app.command("knowledge")(knowledge)
app.command("scale")(scale)
app.command("server")(server)


@app.command("stream")
def stream(
    sites: Annotated[
        list[int] | None,
        typer.Option("--sites", help="How many sites; repeatable. Default: 1000 and 100000.", min=1),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", help="Runs of each kind, in turn; medians are shown.", min=1)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A look within a minute; its figures scatter.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Model directory; one of 100 trees a quantile is trained otherwise."),
    ] = None,
    forecaster: Annotated[
        bool, typer.Option("--forecaster", help="Train and measure the forecaster of seasonal inputs.")
    ] = False,
    with_fdia: Annotated[
        bool,
        typer.Option("--fdia", help="Measure also the engine that looks for false data at every site."),
    ] = False,
    brokers: BrokersOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Events a second from Kafka to Kafka, latency and memory, beside the bare floor and beside pandas."""
    from smartgrid.bench.stream import bench_stream
    from smartgrid.bench.stream_report import document
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.settings import load_settings

    connection = kafka_connection(load_settings(state=state), brokers)
    plan = _plan(sites, repeats, quick)
    result = bench_stream(connection, plan, model, _say_stream, forecaster=forecaster, fdia=with_fdia)
    if as_json:
        print_json(document(result))
    else:
        _show_stream(result)


def _plan(sites: list[int] | None, repeats: int | None, quick: bool) -> "BenchPlan":
    from dataclasses import replace

    from smartgrid.bench.stream import QUICK, BenchPlan

    plan = QUICK if quick else BenchPlan()
    return replace(plan, sites=tuple(sites or plan.sites), repeats=repeats or plan.repeats)


def _say_stream(step: str) -> None:
    errors.print(step, highlight=False)


def _show_stream(result: "StreamResult") -> None:
    from smartgrid.bench.stream_report import notes, speeds

    title = (
        f"From Kafka to Kafka, one process, a model of {result.trees} trees, those of all quantiles together"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("sites", justify="right")
    table.add_column("way")
    for name in ("events", "events/s", "CPU µs/event", "cores used"):
        table.add_column(name, justify="right")
    for row in speeds(result):
        figures = (f"{row.events:,}", f"{row.events_per_s:,.0f}", f"{row.cpu_us:,.2f}", f"{row.cores:.2f}")
        table.add_row(f"{row.sites:,}", row.way, *figures)
    console.print(table)
    for note in notes(result):
        console.print(note, highlight=False)
