"""What gridstatus reads of each operator, as rows of interval starts in UTC and values in MW or USD/MWh.

Invariants:
    A value that the operator left out is None. Nothing is added up from parts that are not all there:
    gridstatus' own total of NYISO's zones counts a missing zone as zero, so it is not used.
"""

import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
from gridstatus import CAISO, NYISO, Ercot, Markets  # type: ignore[import-not-found]
from gridstatus.base import NoDataFoundException  # type: ignore[import-not-found]

NYISO_ZONES = [
    "CAPITL", "CENTRL", "DUNWOD", "GENESE", "HUD VL", "LONGIL", "MHK VL", "MILLWD", "N.Y.C.", "NORTH", "WEST",
]  # fmt: skip
FIVE_MINUTES = pd.Timedelta(minutes=5)
OASIS_GAPS = 5
"""OASIS asks for five seconds between requests where others are content with one."""

Rows = list[list[Any]]
Feed = Callable[[str, "str | None", float], Rows]


class ChangedLayoutError(Exception):
    """A column that is needed is not in the answer."""


def caiso_load(day: str, _place: str | None, _gap_s: float) -> Rows:
    """Demand of Today's Outlook."""
    return _rows(CAISO().get_load(date=day, error="raise"), "Interval Start", ["Load"])


def caiso_mix(day: str, _place: str | None, _gap_s: float) -> Rows:
    """Solar and wind of Today's Outlook."""
    return _rows(CAISO().get_fuel_mix(date=day, error="raise"), "Interval Start", ["Solar", "Wind"])


def caiso_price(day: str, place: str | None, gap_s: float) -> Rows:
    """Five-minute price of one node from OASIS."""
    return _oasis("lmp_real_time_5_min", "VALUE", day, place, gap_s)


def caiso_da_price(day: str, place: str | None, gap_s: float) -> Rows:
    """Hourly day-ahead price of one node from OASIS."""
    return _oasis("lmp_day_ahead_hourly", "MW", day, place, gap_s)


def _oasis(dataset: str, column: str, day: str, place: str | None, gap_s: float) -> Rows:
    start = pd.Timestamp(day, tz=CAISO.default_timezone)
    frame = CAISO().get_oasis_dataset(
        dataset,
        date=start,
        end=start + pd.DateOffset(days=1),
        params={"node": place},
        raw_data=False,
        sleep=OASIS_GAPS * gap_s,
        error="raise",
    )
    if frame.empty:
        raise NoDataFoundException(f"OASIS has no {dataset} of {place} for {day}")
    _require(frame, ["LMP_TYPE"])
    return _rows(frame[frame["LMP_TYPE"] == "LMP"], "Interval Start", [column])


def nyiso_load(day: str, _place: str | None, _gap_s: float) -> Rows:
    """Sum of the eleven zones' loads of each dispatch interval; none where a zone is missing."""
    frame = NYISO().get_load(date=day, error="raise")
    _require(frame, NYISO_ZONES)
    frame["Total"] = frame[NYISO_ZONES].sum(axis=1, skipna=False)
    return _rows(frame, "Time", ["Total"], ends=True)


def nyiso_mix(day: str, _place: str | None, _gap_s: float) -> Rows:
    """Wind of the real-time fuel mix."""
    return _rows(NYISO().get_fuel_mix(date=day, error="raise"), "Time", ["Wind"], ends=True)


def nyiso_price(day: str, place: str | None, _gap_s: float) -> Rows:
    """Five-minute price of one zone."""
    return _nyiso_lmp(day, place, Markets.REAL_TIME_5_MIN)


def nyiso_da_price(day: str, place: str | None, _gap_s: float) -> Rows:
    """Hourly day-ahead price of one zone."""
    return _nyiso_lmp(day, place, Markets.DAY_AHEAD_HOURLY)


def _nyiso_lmp(day: str, place: str | None, market: Markets) -> Rows:
    with warnings.catch_warnings():
        # Its successors read every generator's price too, a hundred times as much.
        warnings.simplefilter("ignore", DeprecationWarning)
        frame = NYISO().get_lmp(date=day, market=market, locations=[place], location_type="zone")
    if frame.empty:
        raise ChangedLayoutError(f"no price of {place!r} among those of {day}")
    return _rows(frame, "Interval Start", ["LMP"])


def ercot_load(_day: str, _place: str | None, _gap_s: float) -> Rows:
    """Demand of the dashboard, which has the present day alone."""
    return _rows(Ercot().get_load(date="today", error="raise"), "Interval Start", ["Load"])


def ercot_mix(_day: str, _place: str | None, _gap_s: float) -> Rows:
    """Solar and wind of the dashboard, which has yesterday and the present day."""
    frame = Ercot().get_fuel_mix("latest")
    _require(frame, ["Time"])
    # A few seconds off; gridstatus means to round them, but pandas 2 leaves a Series of times as it is.
    frame["Time"] = pd.to_datetime(frame["Time"], utc=True).dt.round("min")
    return _rows(frame, "Time", ["Solar", "Wind"], ends=True)


FEEDS: dict[tuple[str, str], Feed] = {
    ("CAISO", "load"): caiso_load,
    ("CAISO", "mix"): caiso_mix,
    ("CAISO", "price"): caiso_price,
    ("CAISO", "da_price"): caiso_da_price,
    ("NYISO", "load"): nyiso_load,
    ("NYISO", "mix"): nyiso_mix,
    ("NYISO", "price"): nyiso_price,
    ("NYISO", "da_price"): nyiso_da_price,
    ("ERCOT", "load"): ercot_load,
    ("ERCOT", "mix"): ercot_mix,
}


def _require(frame: pd.DataFrame, columns: list[str]) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ChangedLayoutError(f"no column {', '.join(map(repr, missing))}")


def _rows(frame: pd.DataFrame, time: str, columns: list[str], *, ends: bool = False) -> Rows:
    """The rows as they are to be sent.

    Args:
        frame: as gridstatus made it.
        time: its column of moments.
        columns: its columns of values.
        ends: whether those moments are the ends of five-minute intervals, not their starts.
    """
    _require(frame, [time, *columns])
    moments = pd.to_datetime(frame[time], utc=True)
    if moments.isna().any():
        raise ChangedLayoutError(f"a row without a time in {time!r}")
    stamps = (moments - FIVE_MINUTES if ends else moments).map(pd.Timestamp.isoformat)
    values = [pd.to_numeric(frame[column], errors="raise").astype(float) for column in columns]
    kept = [[None if pd.isna(value) else float(value) for value in column] for column in values]
    return [list(row) for row in zip(stamps, *kept, strict=True)]
