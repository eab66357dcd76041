"""``smartgrid train``: fit the forecast model and save it with its metadata."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, StateOption, TzOption, local_date, zone
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from grid.series import BaseSeries


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

    from grid.synthetic import training_series
    from policies.limits import load_limits
    from smartgrid.day.preparation import learn
    from smartgrid.settings import load_settings
    from smartgrid.simulated_area import TZ

    settings = load_settings(state=state)
    if file is None:
        series, tz_name = training_series(), zone(site_tz, TZ).key
    else:
        series, tz_name = _read(file, until, mapping or [], tz), zone(site_tz).key
    knowledge = learn(series, tz=tz_name, limits=load_limits(settings.limits))
    target = out or settings.model_dir
    knowledge.save(target)
    model = knowledge.model
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


def _read(file: Path, until: str | None, mapping: list[str], tz: str | None) -> "tuple[BaseSeries, ...]":
    import pandas as pd

    from grid.csv_columns import parse_mapping
    from grid.csv_series import read_csv_series
    from grid.series import BaseSeries

    found = read_csv_series(file, mapping=parse_mapping(mapping), tz=tz).series
    if until is None:
        return (found,)
    frame = found.frame[found.frame.index < pd.Timestamp(local_date(until, "--until"), tz="UTC")]
    return (BaseSeries(frame, found.cadence_s, found.currency, found.price_source),)
