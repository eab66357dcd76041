"""A CSV's rows: parsed, those that cannot be used set aside, sorted, one a time stamp."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.csv_layout import Layout
from grid.csv_report import LISTED_BAD_ROWS, BadRow, shown
from grid.csv_text import Line, take_cells
from grid.csv_values import NAIVE, Reasons, parse_numbers, parse_times, time_kinds
from grid.errors import CsvError

BLOCK_LINES = 2**16
"""Rows parsed at a time, so that the cells of a whole file are never all held as texts."""

_Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Rows:
    """Rows that can be used, sorted by time; and what became of the others.

    Invariants:
        ``count == len(frame) + set_aside + duplicates``.

    Attributes:
        frame: the channels' values by interval start, in the series' units.
        count: of all rows.
        set_aside: number of rows that cannot be used.
        bad_rows: the first of them, by line.
        duplicates: number of rows that repeat all values of another of the same time.
        out_of_order: number of rows that stood behind a later one.
    """

    frame: pd.DataFrame
    count: int
    set_aside: int
    bad_rows: tuple[BadRow, ...]
    duplicates: int
    out_of_order: int


@dataclass(frozen=True)
class _Block:
    """Rows in the file's order.

    Attributes:
        times: interval starts in UTC of those that can be used.
        values: theirs, a column for each channel.
        lines: their line numbers.
        set_aside: number of the others.
        bad_rows: the first of the others, by line.
    """

    times: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.float64]
    lines: npt.NDArray[np.int64]
    set_aside: int
    bad_rows: tuple[BadRow, ...]


def parse_rows(lines: Iterator[Line], layout: Layout, zone: ZoneInfo | None) -> Rows:
    """Turn lines into values; a row with a cell that cannot be used is set aside with the reason.

    Args:
        lines: those below the header.
        layout: what each field is.
        zone: of naive time stamps.

    Raises:
        CsvError: if there is no row, or a time stamp is naive and ``zone`` is not given.
    """
    blocks = []
    while block := list(islice(lines, BLOCK_LINES)):
        blocks.append(_parse_block(block, layout, zone))
    if not blocks:
        raise CsvError("no rows below the header; nothing to read, give a file with rows")
    return _settle(_joined(blocks), layout)


def _parse_block(lines: Sequence[Line], layout: Layout, zone: ZoneInfo | None) -> _Block:
    cells = take_cells(lines, len(layout.header), layout.wanted)
    bad: dict[int, BadRow] = {}

    def set_aside(name: str, fields: Sequence[str], reasons: Reasons) -> None:
        for row, why in reasons.items():
            bad.setdefault(row, BadRow.cut(cells.lines[row], name, fields[row], why))

    texts = cells.columns[0]
    kinds = time_kinds(texts)
    if zone is None and (kinds == NAIVE).any():
        row = int(np.argmax(kinds == NAIVE))
        raise CsvError(
            f"line {cells.lines[row]}: {layout.time_name} {shown(texts[row])} has no time zone;"
            " give --tz, e.g. --tz America/Chicago, or write an offset such as Z"
        )
    times, reasons = parse_times(texts, kinds, zone or ZoneInfo("UTC"))
    again = {row: "the header again; remove the line" for row in reasons if texts[row] == layout.time_name}
    set_aside(layout.time_name, texts, reasons | again)
    values = np.empty((len(texts), len(layout.columns)))
    for at, column in enumerate(layout.columns):
        fields = cells.columns[at + 1]
        values[:, at], reasons = parse_numbers(fields, column.scale)
        set_aside(column.name, fields, reasons)
    good = np.ones(len(texts), dtype=bool)
    good[list(bad)] = False
    numbers = np.array(cells.lines, dtype=np.int64)
    found = [*cells.bad_rows, *bad.values()]
    return _Block(times[good], values[good], numbers[good], len(found), _first_by_line(found))


def _joined(blocks: Sequence[_Block]) -> _Block:
    return _Block(
        np.concatenate([block.times for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.lines for block in blocks]),
        sum(block.set_aside for block in blocks),
        _first_by_line([row for block in blocks for row in block.bad_rows]),
    )


def _settle(rows: _Block, layout: Layout) -> Rows:
    """Sort by time and keep the first row of each time; the others repeat it or are in conflict."""
    kept, late, early = _by_time(rows.times)
    same = _equal(rows.values[late], rows.values[early])
    clash = np.flatnonzero(~same.all(axis=1))
    clash = clash[np.argsort(rows.lines[late[clash]])]
    conflicts = [
        _conflict(rows, layout, late[at], early[at], same[at]) for at in clash[:LISTED_BAD_ROWS].tolist()
    ]
    index = pd.DatetimeIndex(rows.times[kept], name="ts_utc").tz_localize("UTC")
    return Rows(
        frame=pd.DataFrame(rows.values[kept], index, [column.series_column for column in layout.columns]),
        count=len(rows.times) + rows.set_aside,
        set_aside=rows.set_aside + len(clash),
        bad_rows=_first_by_line([*rows.bad_rows, *conflicts]),
        duplicates=len(late) - len(clash),
        out_of_order=int(np.count_nonzero(rows.times < np.maximum.accumulate(rows.times))),
    )


def _by_time(times: npt.NDArray[np.datetime64]) -> tuple[_Places, _Places, _Places]:
    """Places, by time, of the first row of each time; of the others; and of the first of each of those."""
    order = np.argsort(times, kind="stable")
    repeated = np.zeros(len(times), dtype=bool)
    sorted_times = times[order]
    repeated[1:] = sorted_times[1:] == sorted_times[:-1]
    first = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(times))))
    return order[~repeated], order[repeated], order[first[repeated]]


def _equal(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    equal: npt.NDArray[np.bool_] = np.equal(a, b) | (np.isnan(a) & np.isnan(b))
    return equal


def _conflict(rows: _Block, layout: Layout, late: int, early: int, same: npt.NDArray[np.bool_]) -> BadRow:
    others = ", ".join(column.name for column, equal in zip(layout.columns, same, strict=True) if not equal)
    stamp = f"{rows.times[late].item().isoformat()}Z"
    why = f"conflict: line {rows.lines[early]} has this time and another {others}, and the first counts"
    return BadRow.cut(int(rows.lines[late]), layout.time_name, stamp, f"{why}; remove one of the lines")


def _first_by_line(found: Sequence[BadRow]) -> tuple[BadRow, ...]:
    return tuple(sorted(found, key=lambda row: row.line)[:LISTED_BAD_ROWS])
