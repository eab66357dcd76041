"""A CSV's rows: parsed, those that cannot be used set aside, sorted, one a time stamp."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.csv_columns import Column
from grid.csv_report import BadRow, shown
from grid.csv_text import Cells
from grid.csv_values import NAIVE, Reasons, parse_numbers, parse_times, time_kinds
from grid.errors import CsvError


@dataclass(frozen=True)
class Rows:
    """Rows that can be used, sorted by time; and those that cannot.

    Attributes:
        frame: the channels' values by interval start, in the series' units.
        bad_rows: all of them, by line.
        duplicates: number of exact repetitions.
        out_of_order: number of rows that stood behind a later one.
    """

    frame: pd.DataFrame
    bad_rows: list[BadRow]
    duplicates: int
    out_of_order: int


def parse_rows(cells: Cells, time_name: str, columns: Sequence[Column], zone: ZoneInfo | None) -> Rows:
    """Turn cells into values; a row with a cell that cannot be used is set aside with the reason.

    Args:
        cells: the time column's fields, then those of ``columns``.
        time_name: the time column, for reasons.
        columns: the channels' columns.
        zone: of naive time stamps.

    Raises:
        CsvError: if a time stamp is naive and ``zone`` is not given.
    """
    texts = cells.columns[0]
    bad: dict[int, BadRow] = {}

    def set_aside(name: str, fields: Sequence[str], reasons: Reasons) -> None:
        for row, why in reasons.items():
            bad.setdefault(row, BadRow(cells.lines[row], name, fields[row], why))

    kinds = time_kinds(texts)
    if zone is None and (kinds == NAIVE).any():
        row = int(np.argmax(kinds == NAIVE))
        raise CsvError(
            f"line {cells.lines[row]}: {time_name} {shown(texts[row])} has no time zone;"
            " give --tz, e.g. --tz America/Chicago, or write an offset such as Z"
        )
    times, reasons = parse_times(texts, kinds, zone or ZoneInfo("UTC"))
    set_aside(time_name, texts, reasons)
    values: dict[str, npt.NDArray[np.float64]] = {}
    for column, fields in zip(columns, cells.columns[1:], strict=True):
        values[column.series_column], reasons = parse_numbers(fields, column.scale)
        set_aside(column.name, fields, reasons)
    good = np.ones(len(times), dtype=bool)
    good[list(bad)] = False
    kept = np.flatnonzero(good)
    frame, conflicts, duplicates, out_of_order = _settle(
        pd.DataFrame(values, index=times.rename("ts_utc"))[good]
    )
    set_aside(
        time_name, texts, {kept[late]: _conflict(cells.lines[kept[first]]) for late, first in conflicts}
    )
    bad_rows = sorted([*cells.bad_rows, *bad.values()], key=lambda found: found.line)
    return Rows(frame, bad_rows, duplicates, out_of_order)


def _conflict(line: int) -> str:
    return f"conflict: line {line} has this time with other values, and the first counts"


def _settle(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, int]], int, int]:
    """Sort by time and keep the first row of each time.

    Returns:
        The rows kept; positions before sorting of each row in conflict and of the one that counts;
        the number of exact duplicates; the number of rows behind a later one.
    """
    stamps = pd.DatetimeIndex(frame.index).asi8
    out_of_order = int((stamps < np.maximum.accumulate(stamps)).sum()) if len(stamps) else 0
    order = np.argsort(stamps, kind="stable")
    frame = frame.iloc[order]
    repeated = frame.index.duplicated(keep="first")
    first = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(frame))))
    again = np.flatnonzero(repeated)
    values = frame.to_numpy(dtype=np.float64)
    late, early = values[again], values[first[again]]
    same = ((late == early) | (np.isnan(late) & np.isnan(early))).all(axis=1)
    conflicts = [(int(order[row]), int(order[first[row]])) for row in again[~same]]
    return frame[~repeated], conflicts, int(same.sum()), out_of_order
