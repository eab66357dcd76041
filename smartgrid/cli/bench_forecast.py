"""``smartgrid bench forecast``: one frozen configuration on three operators' files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIGURES = (
    ("skill against drift", "skill_drift"),
    ("skill against persistence", "skill_persistence"),
    ("less MAE than XGBoost on the mission's features", "less_mae_than_mission_trees"),
    ("P10–P90 coverage", "coverage"),
    ("… on the top 1 % ramps", "coverage_top_ramps"),
    ("ramp recall / precision at the training P99", ("ramp_recall", "ramp_precision")),
    ("… at a threshold set before T", ("ramp_recall_at_threshold", "ramp_precision_at_threshold")),
    ("… at LightGBM's precision", ("ramp_recall_at_same_precision", "ramp_precision_at_same_precision")),
    ("LightGBM on the same features", ("lightgbm_ramp_recall", "lightgbm_ramp_precision")),
    ("recall over LightGBM's", ("ramp_recall_ratio", "ramp_recall_ratio_at_same_precision")),
    ("training on the whole file, s / processor s", ("training_s", "training_cpu_s")),
)


def forecast(
    data: Annotated[
        Path, typer.Option("--data", envvar="SMARTGRID_DATA_DIR", help="Folder of the recorded series.")
    ],
    only: Annotated[
        str | None, typer.Option("--only", help="One file: ERCOT, 'AEMO Victoria' or Luxembourg.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The 30-minute forecast on years and operators that it was not tuned on, beside plain trees."""
    from smartgrid.bench.forecast import bench_forecast

    rows = list(bench_forecast(data, only, lambda name: errors.print(name, highlight=False)))
    if as_json:
        print_json(rows)
    else:
        console.print(_table(rows))


def _table(rows: "Sequence[Mapping[str, Any]]") -> Table:
    table = Table(title="30-minute change of net load, refitted every 90 days", title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(str(row["file"]), justify="right")
    for label, names in _FIGURES:
        keys = (names,) if isinstance(names, str) else names
        table.add_row(label, *(" / ".join(_shown(row.get(key)) for key in keys) for row in rows))
    return table


def _shown(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3g}"  # noqa: PLR0124 - NaN
