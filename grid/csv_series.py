"""Read a CSV of measurements into a base series, by the rules of ``docs/csv.md``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from grid.csv_columns import require_mapping
from grid.csv_layout import Layout, read_layout
from grid.csv_net_load import with_net_load
from grid.csv_report import ColumnUse, IngestReport
from grid.csv_rows import Rows, parse_rows
from grid.csv_text import read_content, split_lines
from grid.csv_values import zone_of
from grid.errors import CsvError
from grid.series import BaseSeries

LARGEST_BAD_PCT = 1
EXAMPLES = 5
MICROSECONDS = 1_000_000


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
    require_mapping(mapping)
    content = read_content(path)
    lines = split_lines(content)
    first = next(lines, None)
    if first is None:
        raise CsvError("the file is empty; give one with a header line and rows")
    layout = read_layout(first, mapping)
    rows = parse_rows(lines, layout, zone)
    _require_few_bad(rows)
    _require_values(rows.frame, layout)
    frame, net_load_notes = with_net_load(rows.frame)
    steps = _steps(pd.DatetimeIndex(frame.index))
    report = IngestReport(
        path=str(path),
        rows=rows.count,
        used=len(frame),
        set_aside=rows.set_aside,
        duplicates=rows.duplicates,
        bad_rows=rows.bad_rows,
        columns={column.channel: ColumnUse(column.name, column.unit) for column in layout.columns},
        ignored_columns=layout.ignored,
        currency=layout.currency,
        start_utc=frame.index[0].to_pydatetime(),
        end_utc=frame.index[-1].to_pydatetime(),
        cadence_s=steps.cadence_s,
        gaps=steps.gaps,
        longest_gap_s=steps.longest_gap_s,
        net_load_rows=int(frame["net_load_kw"].notna().sum()),
        notes=(*net_load_notes, *_notes(rows, layout, steps, ended=content.endswith((b"\n", b"\r")))),
    )
    source = "file" if "price_usd_per_mwh" in frame else "none"
    return CsvSeries(BaseSeries(frame, steps.cadence_s, layout.currency or "USD", source), report)


def _require_few_bad(rows: Rows) -> None:
    if 100 * rows.set_aside > LARGEST_BAD_PCT * rows.count:
        examples = "; ".join(map(str, rows.bad_rows[:EXAMPLES]))
        raise CsvError(
            f"{rows.set_aside:,} of {rows.count:,} rows cannot be used, more than {LARGEST_BAD_PCT} %:"
            f" {examples}{' …' if rows.set_aside > EXAMPLES else ''}. Correct or remove these lines"
        )


def _require_values(frame: pd.DataFrame, layout: Layout) -> None:
    if len(frame) < 2:
        raise CsvError("only one time stamp; a series needs two rows or more to have a cadence")
    bearing = [
        column for column in layout.columns if column.channel in ("load", "net_load", "price", "da_price")
    ]
    if frame[[column.series_column for column in bearing]].isna().all(axis=None):
        names = ", ".join(column.name for column in bearing)
        raise CsvError(f"no row has a value in {names}; nothing to read, choose other columns with --map")


def _steps(index: pd.DatetimeIndex) -> _Steps:
    steps_us = np.diff(index.as_unit("us").asi8)
    lengths, counts = np.unique(steps_us, return_counts=True)
    cadence_us = int(lengths[np.argmax(counts)])
    gaps = steps_us[steps_us > 1.5 * cadence_us]
    return _Steps(
        cadence_s=cadence_us / MICROSECONDS,
        gaps=len(gaps),
        longest_gap_s=(int(gaps.max()) - cadence_us) / MICROSECONDS if len(gaps) else 0.0,
        shorter=int((steps_us < cadence_us).sum()),
    )


def _notes(rows: Rows, layout: Layout, steps: _Steps, *, ended: bool) -> list[str]:
    notes = []
    blanks = {column.name: int(rows.frame[column.series_column].isna().sum()) for column in layout.columns}
    if any(blanks.values()):
        notes.append("missing values: " + ", ".join(f"{name} {n:,}" for name, n in blanks.items() if n))
    if rows.out_of_order:
        notes.append(f"{rows.out_of_order:,} rows stood behind a later one; sorted by time")
    if steps.shorter:
        notes.append(f"{steps.shorter:,} steps are shorter than the cadence of {steps.cadence_s:g} s")
    if not ended:
        notes.append("the last line has no line break; if the file was cut off, its last value may be, too")
    return notes
