"""``smartgrid bench fdia``: how well false data is found on recorded load."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.trust_days import TrustRow


def fdia(
    data: Annotated[
        Path,
        typer.Option("--data", envvar="SMARTGRID_DATA_DIR", help="Folder with the ERCOT file (and CAISO's)."),
    ],
    seeds: Annotated[int, typer.Option("--seeds", help="Copies of the test span.", min=1)] = 10,
    first_seed: Annotated[int, typer.Option("--first-seed", help="Seed of the first.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Events found on ERCOT load from 2020-11-15 on; live trust on the CAISO days from June 2019 on."""
    from pipeline.fdia.backtest import OURS
    from smartgrid.bench.fdia import (
        ERCOT_T,
        ERCOT_TZ,
        SETTINGS,
        bench_fdia,
        detectable_week,
        ercot_load,
    )
    from smartgrid.fdia_report import false_alarm_line, results_document, results_table, trust_table

    series = ercot_load(data)
    documents = {}
    for setting in SETTINGS:
        errors.print(f"{setting.name} …", highlight=False)
        results = bench_fdia(series, ERCOT_T, ERCOT_TZ, setting, range(first_seed, first_seed + seeds))
        documents[setting.name] = results_document(results)
        if as_json:
            continue
        for name, figures in results.items():
            console.print(false_alarm_line(name, figures.day, figures.week), highlight=False, markup=False)
        console.print(results_table(results, f"{setting.name}: share of events found"))
        found = detectable_week(results[OURS])
        console.print(f"at one a week, all but the sub-sigma kinds: {found:.3f}", highlight=False)
    rows = _trust_rows(data)
    if as_json:
        print_json({**documents, "live trust": [asdict(row) for row in rows]})
    elif rows:
        console.print(trust_table(rows))


def _trust_rows(data: Path) -> "list[TrustRow]":
    """Of the CAISO days, where they are there."""
    from smartgrid.bench.trust_days import CAISO, bench_trust

    if not (data / CAISO).is_file():
        return []
    errors.print("live trust …", highlight=False)
    with TemporaryDirectory(prefix="smartgrid-bench-") as folder:
        return list(bench_trust(data, Path(folder)))
