"""``smartgrid backtest forecast``: how good the forecast would have been on your own data."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, TzOption, duration_s, zone
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def forecast(
    file: Annotated[Path, typer.Argument(help="CSV with load or net load.")],
    train_until: Annotated[
        str, typer.Option("--train-until", help="ISO time; training ends before it, judging begins.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Directory of predictions.csv, metrics.json and forecast.png.")
    ],
    horizon: Annotated[str, typer.Option("--horizon", help="How far ahead, e.g. 5m, 30m or 1h.")] = "30m",
    refit: Annotated[
        str, typer.Option("--refit", help="Fit anew after so many days, e.g. 90d; 'never' fits once.")
    ] = "90d",
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train before T, predict the net-load change at every row from T on, and score it."""
    from grid.csv_columns import parse_mapping
    from grid.csv_series import read_csv_series
    from pipeline.forecasting.scores import score
    from pipeline.forecasting.walk_forward import predictions_frame, walk_forward
    from smartgrid.moments import moment
    from smartgrid.report.files import write_backtest
    from smartgrid.report.forecast_files import write_picture
    from smartgrid.report.forecast_picture import forecast_picture

    read = read_csv_series(file, mapping=parse_mapping(mapping or []), tz=tz)
    found = walk_forward(
        read.series,
        train_until=moment(train_until, "--train-until"),
        site_tz=zone(site_tz).key,
        horizon_s=duration_s(horizon),
        refit=days(refit),
    )
    scores = score(found)
    document = {
        "file": str(file),
        "train_until": train_until,
        "horizon_s": duration_s(horizon),
        "refit": refit,
        "fits": len(found.refits),
        "training_rows": found.model.rows,
        "metrics": dict(scores.overall),
        "by_hour": list(scores.by_hour),
        "by_month": list(scores.by_month),
        "ingest": read.report.to_dict(),
    }
    write_backtest(out, predictions_frame(found, read.series), document)
    if scores.by_hour:
        write_picture(out, forecast_picture(found, scores))
    if as_json:
        print_json(document)
        return
    for line in read.report.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    table = Table(
        "metric", "value", title=f"Change over {horizon}, {int(scores.overall['rows'])} rows judged"
    )
    for name, value in scores.overall.items():
        table.add_row(name, f"{value:,.4g}")
    console.print(table)
    for name, groups in (("hour", scores.by_hour), ("month", scores.by_month)):
        console.print(_groups(name, groups))
    console.print(f"predictions: {out / 'predictions.csv'}", highlight=False, soft_wrap=True)


def _groups(name: str, groups: "Sequence[Mapping[str, float | str]]") -> Table:
    table = Table(title=f"By {'local hour' if name == 'hour' else name}", title_justify="left")
    table.add_column(name)
    for heading in ("rows", "MAE, kW", "coverage", "skill / persistence", "skill / drift"):
        table.add_column(heading, justify="right")
    for group in groups:
        shares = [float(group[key]) for key in ("coverage", "skill_persistence", "skill_drift")]
        table.add_row(
            str(group[name]),
            f"{group['rows']:,.0f}",
            f"{group['mae_kw']:,.4g}",
            *("–" if value != value else f"{value:.3f}" for value in shares),  # noqa: PLR0124 - NaN
        )
    return table


def days(text: str) -> timedelta | None:
    """The span of ``90d``; None for ``never``.

    Raises:
        ScenarioError: for anything else.
    """
    from smartgrid.errors import ScenarioError

    if text.strip() == "never":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})\s*d", text.strip())
    if match is None:
        raise ScenarioError(f"--refit {text!r} is no number of days; write it like 90d, or never")
    return timedelta(days=int(match[1]))
