"""``smartgrid backtest fdia``: how well false data would have been found, on rows not learnt from."""

from pathlib import Path
from typing import Annotated

import typer

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, TzOption, zone
from smartgrid.cli.output import console, print_json


def fdia(
    file: Annotated[Path, typer.Argument(help="CSV with load, solar, wind or net load.")],
    train_until: Annotated[
        str, typer.Option("--train-until", help="ISO time; rows before it are learnt as clean.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory of scores.csv and substitutes.csv.")],
    labels: Annotated[
        Path | None, typer.Option("--labels", help="labels.csv of smartgrid attack; else no recall.")
    ] = None,
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the detectors before T, score every row from T on, and count what they find and cry."""
    from grid.csv_columns import parse_mapping
    from grid.csv_series import read_csv_series
    from pipeline.fdia.backtest import backtest_fdia
    from pipeline.fdia.labels import read_labels
    from pipeline.fdia.regular import measured_channels
    from smartgrid.fdia_report import false_alarm_line, results_document, results_table, write_scores
    from smartgrid.moments import moment

    found = read_csv_series(file, mapping=parse_mapping(mapping or []), tz=tz)
    named = [f"{channel}_kw" for channel in found.report.columns]
    channels = measured_channels(found.series.frame, named)
    result = backtest_fdia(
        found.series,
        channels,
        train_until=moment(train_until, "--train-until"),
        site_tz=zone(site_tz).key,
        labels=None if labels is None else read_labels(labels),
    )
    write_scores(out, result)
    if as_json:
        print_json(
            {
                "file": str(file),
                "train_until": train_until,
                "channels": channels,
                "detectors": results_document(result.results),
                "ingest": found.report.to_dict(),
            }
        )
        return
    for line in found.report.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for name, figures in result.results.items():
        line = false_alarm_line(name, figures.day, figures.week)
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if labels is not None:
        console.print(results_table(result.results, "Share of events with an alarm inside"))
    console.print(f"scores: {out / 'scores.csv'}", highlight=False, soft_wrap=True)
