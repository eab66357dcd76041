"""Time stamps: ISO-8601, aware or naive with ``--tz``; order, cadence and gaps."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from grid.csv_series import CsvSeries, read_csv_series
from grid.errors import CsvError
from grid.series import CHANNELS


def read(folder: Path, stamps: list[str], tz: str | None = None, name: str = "ts_utc") -> CsvSeries:
    path = folder / "area.csv"
    rows = "".join(f"{stamp},{place}\n" for place, stamp in enumerate(stamps))
    path.write_text(f"{name},load_kw\n{rows}")
    return read_csv_series(path, tz=tz)


def local(start: str, rows: int, minutes: int = 15) -> list[str]:
    """Wall-clock stamps without an offset, as if clocks never changed."""
    return [
        f"{stamp:%Y-%m-%dT%H:%M:%S}" for stamp in pd.date_range(start, periods=rows, freq=f"{minutes}min")
    ]


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-07-01T12:00:00Z",
        "2024-07-01 12:00:00Z",
        "2024-07-01T12:00Z",
        "2024-07-01T12Z",
        "20240701T120000Z",
        "2024-07-01T12:00:00.000000Z",
        "2024-07-01T12:00:00+00:00",
        "2024-07-01T07:00:00-05:00",
        "2024-07-01T17:45:00+0545",
        "2024-07-01T14:00:00+02",
        "2024-07-02T02:00:00+14:00",
    ],
)
def test_every_form_of_an_aware_iso_8601_time_is_the_same_instant(tmp_path: Path, stamp: str) -> None:
    found = read(tmp_path, [stamp, "2024-07-01T12:15:00Z"])
    assert found.report.start_utc == datetime(2024, 7, 1, 12, tzinfo=UTC)


def test_offsets_may_change_within_a_file(tmp_path: Path) -> None:
    found = read(tmp_path, ["2024-11-03T01:30:00-05:00", "2024-11-03T01:30:00-06:00", "2024-11-03T08:30:00Z"])
    assert found.report.cadence_s == 3600.0


def test_the_frame_keeps_the_invariants_of_a_base_series(tmp_path: Path) -> None:
    frame = read(tmp_path, ["2024-01-01T01:00:00Z", "2024-01-01T00:00:00Z"]).series.frame
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert (frame.index.name, str(frame.index.tz)) == ("ts_utc", "UTC")
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique
    assert set(frame.columns) <= set(CHANNELS)
    assert {str(dtype) for dtype in frame.dtypes} == {"float64"}


@pytest.mark.parametrize("name", ["ts_utc", "timestamp", "Timestamp", "TS_UTC"])
def test_both_names_of_the_time_column_are_known(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, ["2024-01-01T00:00Z", "2024-01-01T01:00Z"], name=name).report.used == 2


def test_ts_utc_comes_before_timestamp(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_text("timestamp,ts_utc,load_kw\n,2024-01-01T00:00Z,1\n,2024-01-01T01:00Z,2\n")
    assert read_csv_series(path).report.ignored_columns == ("timestamp",)


def test_naive_times_without_a_time_zone_are_an_error_that_names_line_value_and_option(
    tmp_path: Path,
) -> None:
    stamps = ["2024-01-01T00:00:00Z", "2024-01-01T00:15:00"]
    with pytest.raises(CsvError, match=r"line 3: ts_utc '2024-01-01T00:15:00' has no time zone; give --tz"):
        read(tmp_path, stamps)


def test_one_naive_time_among_very_many_aware_ones_is_still_an_error(tmp_path: Path) -> None:
    stamps = [f"{stamp}Z" for stamp in local("2020-01-01", 70_000)]
    stamps[66_000] = stamps[66_000].removesuffix("Z")
    with pytest.raises(CsvError, match=r"line 66002: .*has no time zone"):
        read(tmp_path, stamps)


def test_naive_times_are_local_times_of_the_given_zone(tmp_path: Path) -> None:
    found = read(tmp_path, local("2024-07-01", 4), tz="America/Chicago")
    assert found.report.start_utc == datetime(2024, 7, 1, 5, tzinfo=UTC)


def test_a_time_zone_does_not_move_times_that_have_their_own_offset(tmp_path: Path) -> None:
    found = read(tmp_path, ["2024-07-01T00:00:00Z", "2024-07-01T02:15:00+02:00"], tz="America/Chicago")
    assert found.report.start_utc == datetime(2024, 7, 1, tzinfo=UTC)
    assert found.report.cadence_s == 900.0


@pytest.mark.parametrize("tz", ["Chicago", "", "America", "../etc/passwd", "UTC+1", "zone.tab", "\0"])
def test_a_time_zone_that_is_none_is_refused(tmp_path: Path, tz: str) -> None:
    with pytest.raises(CsvError, match="is no IANA time zone; write it like America/Chicago"):
        read(tmp_path, local("2024-07-01", 4), tz=tz)


def test_local_times_that_the_spring_change_skips_are_set_aside(tmp_path: Path) -> None:
    found = read(tmp_path, local("2024-03-08", 800), tz="America/Chicago")
    assert (found.report.rows, found.report.set_aside, found.report.used) == (800, 4, 796)
    first = found.report.bad_rows[0]
    assert (first.line, first.field, first.value) == (2 + 2 * 96 + 8, "ts_utc", "2024-03-10T02:00:00")
    assert first.reason == "does not exist in America/Chicago (clocks change); write it with its offset"
    assert datetime(2024, 3, 10, 7, 45, tzinfo=UTC) in found.series.frame.index
    assert datetime(2024, 3, 10, 8, 0, tzinfo=UTC) in found.series.frame.index  # 03:00 local


def test_local_times_that_the_autumn_change_repeats_are_set_aside_and_never_guessed(tmp_path: Path) -> None:
    stamps = local("2024-11-01", 800)
    stamps = [*stamps[: 2 * 96 + 8], *stamps[2 * 96 + 4 :]]  # 01:00 to 01:45 stand there twice
    found = read(tmp_path, stamps, tz="America/Chicago")
    assert (found.report.rows, found.report.set_aside, found.report.duplicates) == (804, 8, 0)
    assert {row.reason for row in found.report.bad_rows} == {
        "happens twice in America/Chicago (clocks change); write it with its offset"
    }
    assert [row.value[11:16] for row in found.report.bad_rows] == ["01:00", "01:15", "01:30", "01:45"] * 2
    assert found.report.longest_gap_s == 2 * 3600.0


def test_a_time_that_happens_twice_is_used_where_it_has_its_offset(tmp_path: Path) -> None:
    found = read(tmp_path, ["2024-11-03T00:30:00", "2024-11-03T01:30:00-05:00"], tz="America/Chicago")
    assert (found.report.used, found.report.cadence_s) == (2, 3600.0)


def test_local_times_through_a_whole_year_are_the_instants_that_the_time_zone_says(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Luxembourg")
    stamps = local("2024-01-01", 366 * 24, minutes=60)
    found = read(tmp_path, stamps, tz=zone.key)
    gone = {"2024-03-31T02:00:00", "2024-10-27T02:00:00"}
    expected = [datetime.fromisoformat(stamp).replace(tzinfo=zone) for stamp in stamps if stamp not in gone]
    assert [stamp.to_pydatetime() for stamp in found.series.frame.index] == expected
    assert {row.value for row in found.report.bad_rows} == gone


def test_unsorted_rows_are_sorted_and_counted(tmp_path: Path) -> None:
    found = read(
        tmp_path, ["2024-01-01T00:00Z", "2024-01-01T00:30Z", "2024-01-01T00:15Z", "2024-01-01T00:45Z"]
    )
    assert list(found.series.frame["load_kw"]) == [0.0, 2.0, 1.0, 3.0]
    assert "1 rows stood behind a later one; sorted by time" in found.report.notes


def test_cadence_is_the_most_common_step_and_absent_rows_are_gaps_that_stay(tmp_path: Path) -> None:
    stamps = ["00:00:00", "00:00:05", "00:00:10", "00:01:10", "00:01:15", "00:01:18"]
    found = read(tmp_path, [f"2024-01-01T{stamp}Z" for stamp in stamps])
    assert (found.report.cadence_s, found.report.gaps, found.report.longest_gap_s) == (5.0, 1, 55.0)
    assert found.series.cadence_s == 5.0
    assert len(found.series.frame) == 6
    assert "1 steps are shorter than the cadence of 5 s" in found.report.notes


def test_a_cadence_below_a_second_is_exact(tmp_path: Path) -> None:
    found = read(tmp_path, [f"2024-01-01T00:00:0{tenth / 10:.1f}Z" for tenth in range(10)])
    assert found.report.cadence_s == 0.1
