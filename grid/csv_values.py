"""A CSV's cells: numbers and time stamps, with the reason for each that cannot be used."""

import math
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.errors import CsvError

MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>"})
"""Texts of a missing value, in lower case."""
LARGEST = 1e12
"""In kW some hundred times what mankind uses; beyond it a value is no measurement."""
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
TIME = re.compile(
    r"(?:19|20)[0-9]{2}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4})"
    r"[T ][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?)?"
    r"(Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?"
)
"""ISO-8601 date and time, extended or basic, with an offset or without; pandas checks the ranges."""

UNREADABLE, NAIVE, AWARE = 0, 1, 2
Reasons = dict[int, str]
"""Row → why its cell cannot be used."""


def parse_numbers(cells: Sequence[str], scale: float) -> tuple[npt.NDArray[np.float64], Reasons]:
    """Numbers times ``scale``; NaN where the cell is missing or cannot be used.

    Invariants:
        Every value is NaN or finite; a cell that is no number has a reason, a missing one none.
    """
    is_number = NUMBER.fullmatch
    values = np.fromiter(
        (float(cell) * scale if is_number(cell) else math.nan for cell in cells), np.float64, len(cells)
    )
    reasons: Reasons = {}
    for row in np.flatnonzero(~(np.abs(values) <= LARGEST)).tolist():
        cell = cells[row]
        if cell.lower() in MISSING:
            continue
        values[row] = math.nan
        if INFINITE.fullmatch(cell):
            reasons[row] = "infinite; leave a missing value blank"
        elif is_number(cell):
            reasons[row] = "too large to be a measurement"
        else:
            reasons[row] = "no number; leave a missing value blank"
    return values, reasons


def time_kinds(cells: Sequence[str]) -> npt.NDArray[np.int8]:
    """For each cell :data:`UNREADABLE`, :data:`NAIVE` or :data:`AWARE`, by its form."""
    is_time = TIME.fullmatch

    def kind(cell: str) -> int:
        match = is_time(cell)
        return UNREADABLE if match is None else NAIVE if match[1] is None else AWARE

    return np.fromiter(map(kind, cells), np.int8, len(cells))


def parse_times(
    cells: Sequence[str], kinds: npt.NDArray[np.int8], zone: ZoneInfo
) -> tuple[npt.NDArray[np.datetime64], Reasons]:
    """Interval starts in UTC, to the microsecond; NaT where the cell cannot be used, with the reason.

    Args:
        cells: the time column.
        kinds: what :func:`time_kinds` says of them.
        zone: of the naive ones.
    """
    texts = np.array(cells, dtype=object)
    times = np.full(len(cells), np.datetime64("NaT", "us"))
    aware, naive = np.flatnonzero(kinds == AWARE), np.flatnonzero(kinds == NAIVE)
    times[aware] = _iso(texts[aware])
    local = pd.DatetimeIndex(_iso(texts[naive]))
    times[naive] = _utc(local.tz_localize(zone, ambiguous="NaT", nonexistent="NaT"))
    unreadable = "no ISO-8601 time; write it like 2024-04-15T12:00:00Z"
    reasons: Reasons = dict.fromkeys(np.flatnonzero(np.isnat(times)).tolist(), unreadable)
    if unsettled := np.flatnonzero(local.notna() & np.isnat(times[naive])).tolist():
        twice = local.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna()
        for place in unsettled:
            what = "happens twice" if twice[place] else "does not exist"
            reasons[int(naive[place])] = f"{what} in {zone.key} (clocks change); write it with its offset"
    return times, reasons


def zone_of(tz: str | None) -> ZoneInfo | None:
    """The time zone of naive times.

    Raises:
        CsvError: for a name that is not known.
    """
    if tz is None:
        return None
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise CsvError(f"--tz {tz!r} is no IANA time zone; write it like America/Chicago") from None


def _iso(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.datetime64]:
    return _utc(pd.to_datetime(pd.Index(texts), utc=True, format="ISO8601", errors="coerce"))


def _utc(times: pd.DatetimeIndex) -> npt.NDArray[np.datetime64]:
    return times.tz_convert(None).as_unit("us").to_numpy()
