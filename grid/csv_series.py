"""Read a CSV of measurements into a base series, by the rules of ``docs/csv.md``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from grid.csv_columns import Column, choose_columns, find_time_column
from grid.csv_report import LISTED_BAD_ROWS, BadRow, ColumnUse, IngestReport
from grid.csv_rows import Rows, parse_rows
from grid.csv_text import read_lines, split_header, take_cells
from grid.csv_values import zone_of
from grid.errors import CsvError
from grid.series import CHANNELS, BaseSeries

LARGEST_BAD_SHARE = 0.01
NET_LOAD_TOLERANCE = 0.001
"""Share by which a given net load may differ from that of its parts without a remark."""


@dataclass(frozen=True)
class CsvSeries:
    """A file's series, and how its rows became it."""

    series: BaseSeries
    report: IngestReport


@dataclass(frozen=True)
class _Steps:
    """Between rows, in seconds: the most common step, and where rows are absent."""

    cadence_s: float
    gaps: int
    longest_gap_s: float
    shorter: int


def read_csv_series(
    path: Path, *, mapping: Mapping[str, str] | None = None, tz: str | None = None
) -> CsvSeries:
    """Read a CSV, plain or gzip, into kW and currency per MWh.

    Args:
        path: of the file.
        mapping: channel → column, where the names do not say it (see
            :func:`grid.csv_columns.parse_mapping`).
        tz: IANA time zone of naive time stamps.

    Invariants:
        A missing value stays NaN. Net load is the file's own where it has that column, else load
        minus those of solar and wind that the file has, NaN where one of them is missing.

    Raises:
        CsvError: on a structural fault, or if more than 1 % of the rows cannot be used; the text
            names file, line, field, value and the fix.
    """
    try:
        return _read(path, mapping or {}, zone_of(tz))
    except CsvError as error:
        raise CsvError(f"{path}: {error}") from None


def _read(path: Path, mapping: Mapping[str, str], zone: ZoneInfo | None) -> CsvSeries:
    lines = read_lines(path)
    header = split_header(lines[0])
    time_at = find_time_column(header)
    columns = choose_columns(header, mapping)
    if len(lines) == 1:
        raise CsvError("no rows below the header; nothing to read")
    cells = take_cells(lines[1:], len(header), [time_at, *(column.position for column in columns)])
    rows = parse_rows(cells, header[time_at], columns, zone)
    count = len(lines) - 1
    _require_few(rows.bad_rows, count)
    _require_values(rows.frame, columns)
    frame, net_load_notes = _with_net_load(rows.frame)
    steps = _steps(pd.DatetimeIndex(frame.index))
    currency = next((column.currency for column in columns if column.currency), None)
    used = {time_at, *(column.position for column in columns)}
    report = IngestReport(
        path=str(path),
        rows=count,
        used=len(frame),
        set_aside=len(rows.bad_rows),
        duplicates=rows.duplicates,
        bad_rows=tuple(rows.bad_rows[:LISTED_BAD_ROWS]),
        columns={column.channel: ColumnUse(column.name, column.unit) for column in columns},
        ignored_columns=tuple(name for place, name in enumerate(header) if place not in used and name),
        currency=currency,
        start_utc=frame.index[0].to_pydatetime(),
        end_utc=frame.index[-1].to_pydatetime(),
        cadence_s=steps.cadence_s,
        gaps=steps.gaps,
        longest_gap_s=steps.longest_gap_s,
        net_load_rows=int(frame["net_load_kw"].notna().sum()),
        notes=(*net_load_notes, *_notes(rows, columns, steps)),
    )
    source = "file" if "price_usd_per_mwh" in frame else "none"
    return CsvSeries(BaseSeries(frame, steps.cadence_s, currency or "USD", source), report)


def _require_few(bad_rows: Sequence[BadRow], count: int) -> None:
    if len(bad_rows) > LARGEST_BAD_SHARE * count:
        examples = "; ".join(map(str, bad_rows[:5]))
        raise CsvError(
            f"{len(bad_rows):,} of {count:,} rows cannot be used, more than 1 %: {examples}"
            f"{' …' if len(bad_rows) > 5 else ''}. Correct or remove these lines"
        )


def _require_values(frame: pd.DataFrame, columns: Sequence[Column]) -> None:
    if len(frame) < 2:
        raise CsvError("only one time stamp; a series needs two rows or more to have a cadence")
    bearing = [column for column in columns if column.channel in ("load", "net_load", "price", "da_price")]
    if frame[[column.series_column for column in bearing]].isna().all(axis=None):
        names = ", ".join(column.name for column in bearing)
        raise CsvError(f"no row has a value in {names}; nothing to read, choose other columns with --map")


def _with_net_load(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The series' frame with its net load in kW, given or derived, and remarks on it."""
    derived, formula = _derived(frame)
    notes: list[str] = []
    if "net_load_kw" in frame:
        notes = [] if derived is None else _disagreement(frame["net_load_kw"], derived, formula)
    elif derived is not None:
        frame = frame.assign(net_load_kw=derived)
        notes = [f"net_load is {formula}"]
    else:
        frame = frame.assign(net_load_kw=np.nan)
        notes = ["no net load: the file has neither net_load nor load"]
    return frame[[name for name in CHANNELS if name in frame]], notes


def _derived(frame: pd.DataFrame) -> tuple[pd.Series | None, str]:
    if "load_kw" not in frame:
        return None, ""
    parts = [name for name in ("solar_kw", "wind_kw") if name in frame]
    net_load = frame["load_kw"]
    for name in parts:
        net_load = net_load - frame[name]
    return net_load, " - ".join(["load", *(name.removesuffix("_kw") for name in parts)])


def _disagreement(given: pd.Series, derived: pd.Series, formula: str) -> list[str]:
    apart = (given - derived).abs()
    largest = np.maximum(given.abs(), derived.abs())
    beyond = apart > NET_LOAD_TOLERANCE * largest
    if not beyond.any():
        return []
    return [
        f"net_load differs from {formula} by more than {NET_LOAD_TOLERANCE:.1%} in {int(beyond.sum()):,} rows"
        f" (median {apart[beyond].median():,.6g} kW, at most {apart.max():,.6g} kW); net_load is used"
    ]


def _steps(index: pd.DatetimeIndex) -> _Steps:
    steps_s = np.diff(index.to_numpy()) / np.timedelta64(1, "s")
    lengths, counts = np.unique(steps_s, return_counts=True)
    cadence_s = float(lengths[np.argmax(counts)])
    gaps = steps_s[steps_s > 1.5 * cadence_s]
    return _Steps(
        cadence_s=cadence_s,
        gaps=len(gaps),
        longest_gap_s=float(gaps.max() - cadence_s) if len(gaps) else 0.0,
        shorter=int((steps_s < cadence_s).sum()),
    )


def _notes(rows: Rows, columns: Sequence[Column], steps: _Steps) -> list[str]:
    notes = []
    blanks = {column.name: int(rows.frame[column.series_column].isna().sum()) for column in columns}
    if any(blanks.values()):
        notes.append("missing values: " + ", ".join(f"{name} {n:,}" for name, n in blanks.items() if n))
    if rows.out_of_order:
        notes.append(f"{rows.out_of_order:,} rows stood behind a later one; sorted by time")
    if steps.shorter:
        notes.append(f"{steps.shorter:,} steps are shorter than the cadence of {steps.cadence_s:g} s")
    return notes
