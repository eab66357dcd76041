"""``smartgrid bench arbitrage``: captures over the recorded markets, beside their references."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.arbitrage import ArbitrageRow


def arbitrage(
    data: Annotated[
        Path, typer.Option("--data", envvar="SMARTGRID_DATA_DIR", help="Folder of recorded prices.")
    ],
    only: Annotated[
        str | None, typer.Option("--only", help="One market: nyc, longil, north, west or Victoria.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Share of perfect foresight's profit on recorded markets, one configuration for all."""
    from smartgrid.backtests.arbitrage import OURS
    from smartgrid.bench.arbitrage import MARKETS, bench_arbitrage
    from smartgrid.errors import ScenarioError

    markets = tuple(one for one in MARKETS if only is None or one.name.lower() == only.lower())
    if not markets:
        raise ScenarioError(f"--only {only!r}: choose from {', '.join(one.name for one in MARKETS)}")
    rows = []
    for row in bench_arbitrage(data, markets):
        rows.append(row)
        said = f"{row.market.name} {row.energy_kwh:.0f} kWh {row.settlement}"
        errors.print(f"{said}: capture {row.result.capture(OURS):.3f}", highlight=False)
    if as_json:
        print_json([_document(row) for row in rows])
    else:
        console.print(_table(rows))


def _document(row: "ArbitrageRow") -> dict[str, object]:
    from smartgrid.backtests.arbitrage_files import figures

    return {
        "group": row.market.group,
        "market": row.market.name,
        "energy_kwh": row.energy_kwh,
        "settlement": row.settlement,
        "broken_rows": row.broken,
        **figures(row.result),
    }


def _table(rows: "list[ArbitrageRow]") -> Table:
    from smartgrid.backtests.arbitrage import OURS, THRESHOLDS, YESTERDAY

    names = (OURS, THRESHOLDS, YESTERDAY)
    table = Table(title="Share of perfect foresight's profit after training", title_justify="left")
    for name in ("market", "settlement", "kWh", *names, "cycles", "broken"):
        table.add_column(name, justify="left" if name in ("market", "settlement") else "right")
    for row in rows:
        captures = (f"{row.result.capture(name):.3f}" for name in names)
        cycles = f"{row.result.runs[OURS].cycles:.0f}"
        table.add_row(
            row.market.name, row.settlement, f"{row.energy_kwh:.0f}", *captures, cycles, str(row.broken)
        )
    groups = dict.fromkeys((row.market.group, row.settlement, row.energy_kwh) for row in rows)
    for key in groups:
        of = [row for row in rows if (row.market.group, row.settlement, row.energy_kwh) == key]
        if len(of) > 1:
            means = (f"{sum(row.result.capture(name) for row in of) / len(of):.3f}" for name in names)
            table.add_row(
                f"{key[0]}, mean of {len(of)}", key[1], f"{key[2]:.0f}", *means, "", "", style="bold"
            )
    return table
