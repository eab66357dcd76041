"""Writes reports, each file whole or not at all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.whole_file import write_whole
from smartgrid.day.result import DayResult
from smartgrid.errors import ReportError
from smartgrid.report.json_text import finite
from smartgrid.report.page import render_page
from smartgrid.report.summary import JsonDict


def write_report(directory: Path, results: Sequence[DayResult], summary: JsonDict) -> tuple[Path, Path]:
    """Write both files; their paths.

    Raises:
        ReportError: if the directory cannot be written.
    """
    _write_whole(
        directory,
        {
            "report.json": json.dumps(finite(summary), indent=2) + "\n",
            "report.html": render_page(tuple(results), summary),
        },
    )
    return directory / "report.json", directory / "report.html"


def write_backtest(directory: Path, predictions: pd.DataFrame, document: JsonDict) -> None:
    """Write ``predictions.csv`` and ``metrics.json``.

    Args:
        directory: made where it does not exist.
        predictions: ``issued_at``, ``target_at`` (UTC) and the band in kW; missing is left blank.
        document: the metrics, and what they are of.

    Raises:
        ReportError: if the directory cannot be written.
    """
    stamped = predictions.assign(
        **{
            name: pd.DatetimeIndex(predictions[name]).strftime("%Y-%m-%dT%H:%M:%SZ")
            for name in ("issued_at", "target_at")
        }
    )
    _write_whole(
        directory,
        {
            "predictions.csv": stamped.to_csv(index=False),
            "metrics.json": json.dumps(finite(document), indent=2) + "\n",
        },
    )


def _write_whole(directory: Path, texts: Mapping[str, str]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_whole(directory / name, text.encode())
    except OSError as error:
        raise ReportError(
            f"--out {directory}: cannot be written ({error.strerror}); choose another"
        ) from error
