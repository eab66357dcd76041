"""``smartgrid bench``: figures that anybody can run again, beside what they are compared to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.bench_arbitrage import arbitrage
from smartgrid.cli.bench_fdia import fdia
from smartgrid.cli.bench_forecast import forecast
from smartgrid.cli.kafka_options import BrokersOption
from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.day import BenchRow, JobResult
    from smartgrid.bench.day_sets import DaySet
    from smartgrid.bench.stream import BenchPlan, StreamResult

app = typer.Typer(no_args_is_help=True, help="Benchmarks, side by side with their references.")
app.command("forecast")(forecast)
app.command("arbitrage")(arbitrage)
app.command("fdia")(fdia)


@app.command("day")
def day(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", envvar="SMARTGRID_DATA_DIR", help="Folder of recorded days (CAISO, ERCOT, UCSD)."
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", help="One set: synthetic, sample, CAISO, ERCOT or UCSD.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Processes.", min=1)] = 2,
    as_json: JsonOption = False,
) -> None:
    """Value capture and ramp relief on days not used in tuning, beside two simple policies."""
    from smartgrid.bench.day import bench_days

    rows = list(bench_days(_sets(data, only), workers, _say))
    if as_json:
        print_json([_document(row) for row in rows])
    else:
        console.print(_table(rows))


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
    result = bench_stream(connection, _plan(sites, repeats, quick), model, _say_stream)
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


def _sets(data: Path | None, only: str | None) -> "list[DaySet]":
    from smartgrid.bench.day_sets import recorded_sets, sample_set, synthetic_set
    from smartgrid.errors import ScenarioError

    sets = [synthetic_set(), sample_set(), *(recorded_sets(data) if data is not None else [])]
    if only is None:
        return sets
    chosen = [days for days in sets if days.name.lower() == only.lower()]
    if not chosen:
        known = ", ".join(days.name for days in sets)
        raise ScenarioError(f"--only {only!r}: choose from {known} (recorded ones need --data DIR)")
    return chosen


def _say(day_set: str, result: "JobResult") -> None:
    from smartgrid.bench.day import OURS

    capture = result.accounts[OURS].value_capture
    said = "–" if capture is None else f"{capture:.2f}"
    errors.print(
        f"{day_set} {result.name}: value capture {said}, {result.violations} violations", highlight=False
    )


def _document(row: "BenchRow") -> dict[str, object]:
    figures = row.figures
    return {
        "set": row.day_set,
        "policy": row.policy,
        "days": row.days,
        "value_capture": figures.value_capture,
        "bootstrap_error": figures.bootstrap_error,
        "mean": figures.mean,
        "p10": figures.p10,
        "worst": figures.worst,
        "ramp_relief": figures.ramp_relief,
        "trade_share": figures.trade_share,
        "guardrail_violations": row.violations,
    }


def _table(rows: "list[BenchRow]") -> Table:
    table = Table(title="A day's accounts on days not used in tuning", title_justify="left")
    table.add_column("set")
    table.add_column("policy")
    for name in ("days", "value capture", "±", "P10", "worst", "ramp relief", "trade share", "violations"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = row.figures
        ratios = (figures.value_capture, figures.bootstrap_error, figures.p10, figures.worst)
        shares = (figures.ramp_relief, figures.trade_share)
        table.add_row(
            row.day_set,
            row.policy,
            str(row.days),
            *("–" if value is None else f"{value:.2f}" for value in (*ratios, *shares)),
            "–" if row.violations is None else str(row.violations),
        )
    return table
