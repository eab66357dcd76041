"""Writes ``schedule.csv`` and ``metrics.json``, each whole or not at all."""

import json
from pathlib import Path

import pandas as pd

from pipeline.whole_file import write_whole
from smartgrid.errors import ReportError
from smartgrid.report.json_text import finite
from smartgrid.report.summary import JsonDict


def write_schedule(directory: Path, schedule: pd.DataFrame, document: JsonDict) -> None:
    """Write both files.

    Args:
        directory: made where it does not exist.
        schedule: ``ts_utc`` (UTC), power, stored energy and price; a missing price is left blank.
        document: the figures, and what they are of.

    Raises:
        ReportError: if the directory cannot be written.
    """
    stamps = pd.DatetimeIndex(schedule["ts_utc"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    texts = {
        "schedule.csv": schedule.assign(ts_utc=stamps).to_csv(index=False),
        "metrics.json": json.dumps(finite(document), indent=2) + "\n",
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_whole(directory / name, text.encode())
    except OSError as error:
        raise ReportError(
            f"--out {directory}: cannot be written ({error.strerror}); choose another"
        ) from error
