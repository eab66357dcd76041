"""``smartgrid bench server``: what the centre costs beside a bare MCP server."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.server import ServerPlan, ServerResult

WANTED = "asked: p50 of reads <= 2 x the bare server's, a tick <= 10 ms p50, no error among the clients"


def server(
    rounds: Annotated[int | None, typer.Option("--rounds", help="Calls of each tool.", min=1)] = None,
    clients: Annotated[int | None, typer.Option("--clients", help="Clients at once.", min=1)] = None,
    as_json: JsonOption = False,
) -> None:
    """Tool calls beside a bare SDK server's, a hundred clients at once, and a tick of the supervisor."""
    from dataclasses import asdict

    import anyio

    from smartgrid.bench.server import bench_server
    from smartgrid.settings import load_settings

    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        settings = load_settings(state=Path(scratch)).model_copy(update={"kafka": None, "influx_url": None})
        result = anyio.run(bench_server, settings, _plan(rounds, clients), _say)
    if as_json:
        print_json(asdict(result))
        return
    for table in (_calls(result), _parts(result), _crowds(result)):
        console.print(table)
    tick = result.tick
    console.print(
        f"a tick of both loops in memory: p50 {tick.p50_ms:.1f} ms, p99 {tick.p99_ms:.1f} ms,"
        f" {tick.ticks} ticks, {tick.blocked} loops blocked",
        highlight=False,
    )
    console.print(WANTED, highlight=False)


def _plan(rounds: int | None, clients: int | None) -> "ServerPlan":
    from dataclasses import replace

    from smartgrid.bench.server import ServerPlan

    plan = ServerPlan()
    return replace(plan, rounds=rounds or plan.rounds, clients=clients or plan.clients)


def _say(step: str) -> None:
    errors.print(f"{step} …", highlight=False, soft_wrap=True)


def _table(title: str, names: tuple[str, ...], figures: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name)
    for name in figures:
        table.add_column(name, justify="right")
    return table


def _calls(result: "ServerResult") -> Table:
    figures = ("p50 ms", "p99 ms", "x bare")
    table = _table("Tool calls through the SDK's client, in turn", ("transport", "era", "tool"), figures)
    for row in result.calls:
        numbers = (f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}", f"{row.ratio:.2f}")
        table.add_row(row.transport, row.era, row.subject, *numbers)
    return table


def _parts(result: "ServerResult") -> Table:
    title = "What of that neither the centre nor the transport adds, p50"
    table = _table(title, ("tool",), ("its own work, ms", "client's check of the answer, ms"))
    for row in result.parts:
        table.add_row(row.subject, f"{row.work_ms:.3f}", f"{row.check_ms:.3f}")
    return table


def _crowds(result: "ServerResult") -> Table:
    figures = ("clients", "calls", "errors", "all connected, s", "calls/s", "p50 ms", "p99 ms")
    table = _table("Many clients at once, over HTTP", ("era",), figures)
    for row in result.crowds:
        counts = (str(row.clients), str(row.calls), str(row.errors))
        table.add_row(
            row.era,
            *counts,
            f"{row.connected_s:.1f}",
            f"{row.calls_per_s:.0f}",
            f"{row.p50_ms:.0f}",
            f"{row.p99_ms:.0f}",
        )
    return table
