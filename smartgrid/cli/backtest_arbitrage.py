"""``smartgrid backtest arbitrage``: what a battery would have earned on your prices."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.backtests.settlement import Settlement
from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, TzOption, zone
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from smartgrid.report.summary import JsonDict


def arbitrage(
    file: Annotated[Path, typer.Argument(help="CSV with real-time prices.")],
    train_until: Annotated[
        str, typer.Option("--train-until", help="ISO time; learning ends before it, trading begins.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory of schedule.csv and metrics.json.")],
    price: Annotated[str | None, typer.Option("--price", help="Column of real-time prices.")] = None,
    da_price: Annotated[str | None, typer.Option("--da-price", help="Column of day-ahead prices.")] = None,
    da_file: Annotated[
        Path | None, typer.Option("--da-file", help="CSV with the day-ahead prices, if another.")
    ] = None,
    power_kw: Annotated[float, typer.Option("--power-kw", help="Rated power.", min=1e-3)] = 1000.0,
    energy_kwh: Annotated[float, typer.Option("--energy-kwh", help="Capacity.", min=1e-3)] = 4000.0,
    efficiency: Annotated[
        float, typer.Option("--efficiency", help="Round trip, up to 1.", min=0.01, max=1.0)
    ] = 0.9,
    wear_usd_per_mwh: Annotated[
        float, typer.Option("--wear-usd-per-mwh", help="Per MWh discharged, in the file's currency.", min=0.0)
    ] = 10.0,
    settlement: Annotated[
        Settlement, typer.Option("--settlement", help="bid: clears at its price; lagged: power fixed before.")
    ] = Settlement.BID,
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn before T what stored energy is worth, bid for every interval from T on, and settle it."""
    from grid.assets import BatterySpec
    from grid.csv_columns import parse_mapping
    from smartgrid.backtests.arbitrage import backtest_arbitrage
    from smartgrid.backtests.arbitrage_files import PriceFiles, figures, file_rows, read_market
    from smartgrid.backtests.schedule_file import write_schedule
    from smartgrid.moments import moment

    files = PriceFiles(file, price, da_price, da_file, parse_mapping(mapping or []), tz)
    table, reports = read_market(files, zone(site_tz))
    battery = BatterySpec(power_kw, energy_kwh, efficiency, wear_usd_per_mwh=wear_usd_per_mwh)
    result = backtest_arbitrage(
        table, battery, train_until=moment(train_until, "--train-until"), settlement=settlement
    )
    document = {
        "file": str(file),
        "train_until": train_until,
        "settlement": settlement,
        "currency": reports[0].currency,
        **figures(result),
        "ingest": [report.to_dict() for report in reports],
    }
    write_schedule(out, file_rows(result.schedule, table), document)
    if as_json:
        print_json(document)
        return
    for report in reports:
        for line in report.lines():
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(_table(document))
    console.print(f"schedule: {out / 'schedule.csv'}", highlight=False, soft_wrap=True)


def _table(document: "JsonDict") -> Table:
    shown = Table("strategy", title=f"{document['days']:.0f} days, settlement {document['settlement']}")
    for name in (f"profit, {document['currency']}", "capture", "cycles"):
        shown.add_column(name, justify="right")
    for name, row in document["strategies"].items():
        shown.add_row(name, f"{row['profit']:,.0f}", f"{row['capture']:.3f}", f"{row['cycles']:.0f}")
    shown.add_row("perfect foresight", f"{document['perfect_foresight']:,.0f}", "1.000", "–")
    return shown
