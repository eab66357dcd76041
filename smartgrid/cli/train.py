"""``smartgrid train``: fit the forecast model, keep it as a version, roll back, refit where it decayed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, StateOption, TzOption, local_date, zone
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from grid.series import BaseSeries
    from smartgrid.refit import SiteDrift
    from smartgrid.settings import Settings


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
    horizons: Annotated[
        str | None,
        typer.Option(
            "--horizons",
            help="Minutes ahead, such as 5,15,60, that forecast_net_load answers on request beside the "
            "stream's 30; those of the model in use otherwise.",
        ),
    ] = None,
    if_degraded: Annotated[
        bool,
        typer.Option(
            "--if-degraded",
            help="Train only where the forecasts in the store have decayed, from the store where no file is "
            "given. Exit code 0 in both cases, 1 on an error; --json says which.",
        ),
    ] = False,
    site: Annotated[str | None, typer.Option("--site", help="Whose forecasts --if-degraded judges.")] = None,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Put the version back into use that was before.")
    ] = False,
    versions: Annotated[bool, typer.Option("--versions", help="List the versions that are kept.")] = False,
    state: StateOption = None,
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the model of the 30-minute net-load change (P10, P50, P90), save it, and show what drives it."""

    from smartgrid.errors import ScenarioError
    from smartgrid.settings import load_settings

    settings = load_settings(state=state)
    target = out or settings.model_dir
    if sum((if_degraded, roll_back, versions)) > 1 or ((roll_back or versions) and file is not None):
        raise ScenarioError("--if-degraded, --roll-back, --versions: choose one; the last two take no file")
    if versions:
        _list(target, as_json)
        return
    if roll_back:
        _roll_back(target, as_json)
        return
    judged = _degraded(settings, target, site, as_json) if if_degraded else None
    if if_degraded and judged is None:
        return
    if file is not None:
        series, tz_name = _read(file, until, mapping or [], tz), zone(site_tz).key
    elif judged is not None:
        series, tz_name = _stored(settings, target, judged), zone(site_tz, _zone_in_use(target)).key
    else:
        series, tz_name = _simulated(), zone(site_tz, _simulated_zone()).key
    ahead_s = _horizons_in_use(target) if horizons is None else _horizons_s(horizons)
    _train(settings, target, series, tz_name, ahead_s, judged, as_json)


def _train(
    settings: "Settings",
    target: Path,
    series: "tuple[BaseSeries, ...]",
    tz_name: str,
    horizons_s: tuple[float, ...],
    judged: "SiteDrift | None",
    as_json: bool,
) -> None:
    from policies.limits import load_limits
    from smartgrid.day.preparation import learn
    from smartgrid.model_home import publish

    knowledge = learn(series, tz=tz_name, limits=load_limits(settings.limits), horizons_s=horizons_s)
    version = publish(target, knowledge)
    metadata, importance = knowledge.model.metadata, knowledge.model.importance_by_family()
    if as_json:
        document = {"action": "trained", "model": str(target), "version": version}
        drift = {} if judged is None else {"drift": _drift(judged)}
        print_json({**document, **drift, "metadata": metadata.to_dict(), "importance": importance})
        return
    console.print(
        f"saved {target}, version {version}: {metadata.rows} rows, {metadata.data_start} to "
        f"{metadata.data_end}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table("feature family", "importance", title="Share of the model's gain")
    for family, share in sorted(importance.items(), key=lambda item: -item[1]):
        table.add_row(family, f"{share:.1%}")
    console.print(table)


def _degraded(settings: "Settings", target: Path, site: str | None, as_json: bool) -> "SiteDrift | None":
    """What the drift monitor says of the model in use; None, and said so, where it is sound."""
    from smartgrid.refit import drift_of
    from smartgrid.series_store import series_reader

    with series_reader(settings) as reader:
        judged = drift_of(reader, site, cadence_s=_metadata(target)["cadence_s"])
    if judged.report.degraded:
        if not as_json:
            console.print(
                f"{judged.site}: degraded: {'; '.join(judged.report.reasons)}",
                highlight=False,
                soft_wrap=True,
            )
        return judged
    if as_json:
        print_json({"action": "kept", "model": str(target), "drift": _drift(judged)})
    else:
        console.print(f"{judged.site}: not degraded; the model stays in use", highlight=False, soft_wrap=True)
    return None


def _stored(settings: "Settings", target: Path, judged: "SiteDrift") -> "tuple[BaseSeries, ...]":
    from smartgrid.refit import stored_series
    from smartgrid.series_store import series_reader

    with series_reader(settings) as reader:
        return (stored_series(reader, judged.site, judged.at, cadence_s=_metadata(target)["cadence_s"]),)


def _simulated() -> "tuple[BaseSeries, ...]":
    from grid.synthetic import training_series

    return training_series()


def _simulated_zone() -> str:
    from smartgrid.simulated_area import TZ

    return TZ


def _horizons_s(minutes: str) -> tuple[float, ...]:
    from smartgrid.errors import ScenarioError

    try:
        found = tuple(60.0 * float(part) for part in minutes.split(","))
    except ValueError:
        raise ScenarioError(f"--horizons {minutes}: give minutes, separated by commas: 5,15,60") from None
    return found


def _horizons_in_use(target: Path) -> tuple[float, ...]:
    """Those of the model that is replaced; none where there is none, or it knows the stream's alone."""
    from pipeline.forecasting.versions import current_folder
    from smartgrid.model_home import horizons_of

    return horizons_of(current_folder(target))


def _zone_in_use(target: Path) -> str:
    return str(_metadata(target)["site_tz"])


def _metadata(target: Path) -> dict[str, Any]:
    from pipeline.forecasting.versions import current_folder
    from smartgrid.model_home import metadata_of

    return metadata_of(current_folder(target))


def _drift(judged: "SiteDrift") -> dict[str, Any]:
    from pipeline.timestamps import from_micros

    report = judged.report
    return {
        "site": judged.site,
        "at": judged.at.isoformat(),
        "forecasts": report.weight,
        "skill_persistence": report.skill_persistence,
        "skill_drift": report.skill_drift,
        "coverage": report.coverage,
        "band_factor": report.factor,
        "degraded": report.degraded,
        "since": None if report.since_us is None else from_micros(report.since_us).isoformat(),
        "reasons": list(report.reasons),
    }


def _roll_back(target: Path, as_json: bool) -> None:
    from smartgrid.model_home import roll_back

    version = roll_back(target)
    if as_json:
        print_json({"action": "rolled_back", "model": str(target), "version": version})
    else:
        console.print(f"{target}: version {version} is in use again", highlight=False, soft_wrap=True)


def _list(target: Path, as_json: bool) -> None:
    from pipeline.forecasting.versions import ModelVersions
    from smartgrid.model_home import summary_of

    known = ModelVersions(target)
    current = known.current()
    found = [
        {"version": name, "in_use": name == current, **summary_of(known.folder(name))}
        for name in known.names()
    ]
    if as_json:
        print_json({"model": str(target), "versions": found})
        return
    table = Table("version", "in use", "rows", "from", "to", "problem", title=str(target))
    for item in found:
        shown = [str(item.get(key, "")) for key in ("rows", "data_start", "data_end", "problem")]
        table.add_row(item["version"], "yes" if item["in_use"] else "", *shown)
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
