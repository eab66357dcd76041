"""``smartgrid train``: fit the forecast model and save it with its metadata."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, StateOption, TzOption, local_date, zone
from smartgrid.cli.output import console, print_json


def train(
    file: Annotated[
        Path | None, typer.Argument(help="CSV to learn from; the simulated area's 30 days otherwise.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Model directory; the state's model otherwise.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Use rows before this date only (UTC).")
    ] = None,
    state: StateOption = None,
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the model of the 30-minute net-load change (P10, P50, P90), save it, and show what drives it."""
    import pandas as pd

    from grid.csv_columns import parse_mapping
    from grid.csv_series import read_csv_series
    from grid.series import BaseSeries
    from grid.synthetic import SITE_TZ
    from pipeline.training import train as fit
    from smartgrid.day.scenario import synthetic_training
    from smartgrid.settings import load_settings

    settings = load_settings(state=state)
    if file is None:
        series: tuple[BaseSeries, ...] = synthetic_training(5.0)
        site_zone = zone(site_tz, SITE_TZ)
    else:
        found = read_csv_series(file, mapping=parse_mapping(mapping or []), tz=tz).series
        if until is not None:
            frame = found.frame[found.frame.index < pd.Timestamp(local_date(until, "--until"), tz="UTC")]
            found = BaseSeries(frame, found.cadence_s, found.currency, found.price_source)
        series, site_zone = (found,), zone(site_tz)
    model = fit(series, cadence_s=series[0].cadence_s, site_tz=site_zone.key)
    target = out or settings.model_dir
    model.save(target)
    importance = model.importance_by_family()
    metadata = model.metadata
    if as_json:
        print_json({"model": str(target), "metadata": metadata.to_dict(), "importance": importance})
        return
    console.print(
        f"saved {target}: {metadata.rows} rows, {metadata.data_start} to {metadata.data_end}", highlight=False
    )
    table = Table("feature family", "importance", title="Share of the model's gain")
    for family, share in sorted(importance.items(), key=lambda item: -item[1]):
        table.add_row(family, f"{share:.1%}")
    console.print(table)
