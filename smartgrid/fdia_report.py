"""The detectors' figures as text, tables and files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.table import Table

from pipeline.fdia.backtest import DetectorResult, FdiaBacktest
from pipeline.fdia.scoring import FalseAlarms
from pipeline.whole_file import write_whole
from smartgrid.errors import ReportError

if TYPE_CHECKING:
    from smartgrid.bench.trust_days import TrustRow

STAMP = "%Y-%m-%dT%H:%M:%SZ"


def results_document(results: Mapping[str, DetectorResult]) -> dict[str, Any]:
    """The figures for JSON."""
    return {
        name: {
            "false_alarms_day": asdict(result.day),
            "false_alarms_week": asdict(result.week),
            "kinds": {kind: asdict(score) for kind, score in result.kinds.items()},
        }
        for name, result in results.items()
    }


def write_scores(out: Path, found: FdiaBacktest) -> None:
    """Write ``scores.csv`` and ``substitutes.csv``.

    Raises:
        ReportError: if the directory cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, frame in (("scores.csv", found.scores), ("substitutes.csv", found.substitutes)):
            stamped = frame.assign(ts_utc=pd.DatetimeIndex(frame["ts_utc"]).strftime(STAMP))
            write_whole(out / name, stamped.to_csv(index=False, date_format=STAMP).encode())
    except OSError as error:
        raise ReportError(f"--out {out}: cannot be written ({error.strerror}); choose another") from error


def false_alarm_line(name: str, day: FalseAlarms, week: FalseAlarms) -> str:
    """Realised rates beside their nominal ones."""
    marks = ["inside" if rate.inside else "OUTSIDE" for rate in (day, week)]
    return (
        f"{name}: false alarms {day.per_day:.2f} a day ({marks[0]} the 95 % interval of 1),"
        f" {7 * week.per_day:.2f} a week ({marks[1]})"
    )


def results_table(results: Mapping[str, DetectorResult], title: str) -> Table:
    """Per detector and kind: recall at both rates, chance, AUC and delay."""
    table = Table(title=title, title_justify="left")
    table.add_column("detector")
    table.add_column("kind")
    for name in ("events", "1/day", "1/week", "chance 1/day", "chance 1/week", "AUC", "delay min"):
        table.add_column(name, justify="right")
    for detector, result in results.items():
        for kind, score in result.kinds.items():
            shares = (score.recall_day, score.recall_week, score.chance_day, score.chance_week, score.auc)
            delay = "–" if score.delay_min != score.delay_min else f"{score.delay_min:.0f}"
            table.add_row(detector, kind, str(score.events), *(f"{share:.2f}" for share in shares), delay)
    return table


def trust_table(rows: "Sequence[TrustRow]") -> Table:
    """Of the live trust: how much of an event, and of clean days, is not acted on."""
    table = Table(title="live trust, single days: one event of two hours a day", title_justify="left")
    for name in ("meters", "kind"):
        table.add_column(name)
    for name in ("rows distrusted", "at once", "rows after", "error used %", "error of the meter %"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = (row.at_once, row.after_rows, row.used_error, row.false_error)
        shown = ("–" if isnan(figure) else f"{figure:.2f}" for figure in figures)
        table.add_row(row.meters, row.kind, f"{row.distrusted:.3f}", *shown)
    return table
