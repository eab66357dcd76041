"""``labels.csv``: which rows of which channel are false, and how."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.fdia.errors import DetectorError
from pipeline.fdia.layout import Booleans
from pipeline.fdia.regular import RegularSeries

COLUMNS = ("start_utc", "end_utc", "channel", "kind", "magnitude")


@dataclass(frozen=True)
class LabelledSpan:
    """Rows [start, end) of a regular series."""

    start: int
    end: int
    channel: str
    kind: str


def read_labels(path: Path) -> pd.DataFrame:
    """Read the file.

    Raises:
        DetectorError: if it cannot be read, lacks a column, or holds a time that is none.
    """
    try:
        table = pd.read_csv(path)
        missing = [name for name in COLUMNS if name not in table]
        if missing:
            raise DetectorError(
                f"--labels {path}: no column {', '.join(missing)}; smartgrid attack writes them"
            )
        for name in ("start_utc", "end_utc"):
            table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601")
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DetectorError(
            f"--labels {path}: cannot be read ({error}); give the path of labels.csv"
        ) from error
    except ValueError as error:
        raise DetectorError(f"--labels {path}: {error}") from error
    return table


def spans_of(labels: pd.DataFrame, series: RegularSeries) -> list[LabelledSpan]:
    """The labelled events as rows of the series; those outside it are left out.

    A kind is named with its magnitude: ramps to 5 % and to 15 % are judged apart.
    """
    spans = []
    starts = series.stamps.searchsorted(pd.DatetimeIndex(labels["start_utc"])).tolist()
    ends = series.stamps.searchsorted(pd.DatetimeIndex(labels["end_utc"])).tolist()
    sizes = np.abs(labels["magnitude"].to_numpy(dtype=np.float64)).tolist()
    named = zip(labels["channel"].astype(str), labels["kind"].astype(str), strict=True)
    for start, end, size, (channel, kind) in zip(starts, ends, sizes, named, strict=True):
        if start < end:
            spans.append(LabelledSpan(start, end, channel, f"{kind}:{size:g}" if size > 0.0 else kind))
    return spans


def inside(spans: list[LabelledSpan], rows: int) -> Booleans:
    """Which rows lie in an event."""
    marked = np.zeros(rows, dtype=np.bool_)
    for span in spans:
        marked[span.start : span.end] = True
    return marked
