"""``smartgrid backtest``: how good it would have been, judged on rows that were not learnt from."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, TzOption, duration_s, zone
from smartgrid.cli.output import console, print_json

app = typer.Typer(no_args_is_help=True, help="Backtests on your own data, free of leaks.")


@app.callback()
def _backtest() -> None:
    """Backtests on your own data, free of leaks."""


@app.command("forecast")
def forecast(
    file: Annotated[Path, typer.Argument(help="CSV with load or net load.")],
    train_until: Annotated[
        str, typer.Option("--train-until", help="ISO time; training ends before it, judging begins.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory of predictions.csv and metrics.json.")],
    horizon: Annotated[str, typer.Option("--horizon", help="How far ahead, e.g. 30m or 1h.")] = "30m",
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train before T, predict the net-load change at every row from T on, and score it."""
    from grid.csv_columns import parse_mapping
    from grid.csv_series import read_csv_series
    from pipeline.backtest import backtest_forecast
    from smartgrid.report.files import write_backtest

    found = read_csv_series(file, mapping=parse_mapping(mapping or []), tz=tz)
    result = backtest_forecast(
        found.series,
        train_until=_moment(train_until),
        site_tz=zone(site_tz).key,
        horizon_s=duration_s(horizon),
    )
    document = {
        "file": str(file),
        "train_until": train_until,
        "horizon_s": duration_s(horizon),
        "metrics": dict(result.metrics),
        "ingest": found.report.to_dict(),
    }
    write_backtest(out, result.predictions, document)
    if as_json:
        print_json(document)
        return
    for line in found.report.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    table = Table(
        "metric", "value", title=f"Change over {horizon}, {int(result.metrics['rows'])} rows judged"
    )
    for name, value in result.metrics.items():
        table.add_row(name, f"{value:,.4g}")
    console.print(table)
    console.print(f"predictions: {out / 'predictions.csv'}", highlight=False, soft_wrap=True)


def _moment(text: str) -> datetime:
    from datetime import UTC

    from smartgrid.errors import ScenarioError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ScenarioError(
            f"--train-until {text!r} is no ISO time; write it like 2020-11-15T00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
