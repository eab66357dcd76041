"""Rows that cannot be used: set aside, counted, listed; more than 1 % of them is an error."""

from pathlib import Path

import numpy as np
import pytest

from grid.csv_report import LISTED_BAD_ROWS
from grid.csv_series import CsvSeries, read_csv_series
from grid.errors import CsvError

ROWS = 400
HEADER = "ts_utc,load_kw,solar_kw\n"


def stamp(row: int) -> str:
    return str(np.datetime64("2024-01-01T00:00:00") + np.timedelta64(15 * row, "m")) + "Z"


def line(row: int) -> str:
    """The row's text; it stands on line ``row + 2``."""
    return f"{stamp(row)},{1000 + row},{row}"


def read(folder: Path, changed: dict[int, str], rows: int = ROWS) -> CsvSeries:
    """Read good rows with some replaced."""
    path = folder / "area.csv"
    path.write_text(HEADER + "".join(changed.get(row, line(row)) + "\n" for row in range(rows)))
    return read_csv_series(path)


@pytest.mark.parametrize(
    ("text", "field", "value", "reason"),
    [
        (f"{stamp(7)},abc,1", "load_kw", "abc", "no number; leave a missing value blank"),
        (f"{stamp(7)},1,1.2.3", "solar_kw", "1.2.3", "no number; leave a missing value blank"),
        (f'{stamp(7)},"1,5",1', "load_kw", "1,5", "no number; leave a missing value blank"),
        (f"{stamp(7)},1_000,1", "load_kw", "1_000", "no number; leave a missing value blank"),
        (f"{stamp(7)},٣,1", "load_kw", "٣", "no number; leave a missing value blank"),
        (f"{stamp(7)},0x10,1", "load_kw", "0x10", "no number; leave a missing value blank"),
        (f"{stamp(7)},1 MW,1", "load_kw", "1 MW", "no number; leave a missing value blank"),
        (f"{stamp(7)},-,1", "load_kw", "-", "no number; leave a missing value blank"),
        (f"{stamp(7)},inf,1", "load_kw", "inf", "infinite; leave a missing value blank"),
        (f"{stamp(7)},1,-Infinity", "solar_kw", "-Infinity", "infinite; leave a missing value blank"),
        (f"{stamp(7)},1e999,1", "load_kw", "1e999", "too large to be a measurement"),
        (f"{stamp(7)},1.5e12,1", "load_kw", "1.5e12", "too large to be a measurement"),
        (",1,1", "ts_utc", "", "no ISO-8601 time; write it like 2024-04-15T12:00:00Z"),
        ("2024-02-30T00:00:00Z,1,1", "ts_utc", "2024-02-30T00:00:00Z", "no ISO-8601 time"),
        ("2024-01-01T24:00:00Z,1,1", "ts_utc", "2024-01-01T24:00:00Z", "no ISO-8601 time"),
        ("01/02/2024 00:00,1,1", "ts_utc", "01/02/2024 00:00", "no ISO-8601 time"),
        ("1704067200,1,1", "ts_utc", "1704067200", "no ISO-8601 time"),
        ("NaT,1,1", "ts_utc", "NaT", "no ISO-8601 time"),
        ("2024-01-01,1,1", "ts_utc", "2024-01-01", "no ISO-8601 time"),
        ("ts_utc,load_kw,solar_kw", "ts_utc", "ts_utc", "the header again; remove the line"),
        (f"{stamp(7)},1", "row", f"{stamp(7)},1", "2 fields where the header has 3"),
        (f"{stamp(7)},1,1,", "row", f"{stamp(7)},1,1,", "4 fields where the header has 3"),
        (f'{stamp(7)},"1,1', "row", f'{stamp(7)},"1,1', "broken quotes; a quoted field ends on its own line"),
    ],
)
def test_a_row_that_cannot_be_used_is_set_aside_with_line_field_value_and_reason(
    tmp_path: Path, text: str, field: str, value: str, reason: str
) -> None:
    found = read(tmp_path, {7: text})
    (bad,) = found.report.bad_rows
    assert (bad.line, bad.field, bad.value) == (9, field, value)
    assert bad.reason.startswith(reason)
    assert (found.report.rows, found.report.set_aside, found.report.used) == (ROWS, 1, ROWS - 1)
    assert found.report.gaps == 1
    assert f"set aside {bad}" in found.report.lines()
    assert f"line 9: {field} {value!r}: " in str(bad)


def test_a_row_with_several_faults_counts_once_by_its_first_field(tmp_path: Path) -> None:
    found = read(tmp_path, {7: "never,abc,inf"})
    assert [(row.line, row.field) for row in found.report.bad_rows] == [(9, "ts_utc")]


def test_a_bad_cell_in_a_column_that_is_not_read_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_text("ts_utc,note,load_kw\n" + f"{stamp(0)},inf,1\n{stamp(1)},abc,2\n")
    assert read_csv_series(path).report.used == 2


def test_a_blank_value_is_missing_and_its_row_is_used(tmp_path: Path) -> None:
    found = read(tmp_path, {row: f"{stamp(row)},NaN," for row in range(7, 200)})
    assert (found.report.used, found.report.set_aside) == (ROWS, 0)
    assert found.series.frame["load_kw"].isna().sum() == 193
    assert "missing values: load_kw 193, solar_kw 193" in found.report.notes


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path: Path) -> None:
    found = read(tmp_path, {3: "", 5: "   ", 7: "x,1,1"})
    assert (found.report.rows, found.report.used) == (ROWS - 2, ROWS - 3)
    assert found.report.bad_rows[0].line == 9


def test_an_exact_repetition_is_a_duplicate_and_not_set_aside(tmp_path: Path) -> None:
    found = read(tmp_path, {7: line(6), 8: line(300), 9: f"{stamp(2)},1002.0, 2e0"})
    assert (found.report.duplicates, found.report.set_aside, found.report.used) == (3, 0, ROWS - 3)


def test_a_repetition_with_the_same_blanks_is_a_duplicate(tmp_path: Path) -> None:
    found = read(tmp_path, {6: f"{stamp(6)},,6", 7: f"{stamp(6)},nan,6"})
    assert (found.report.duplicates, found.report.set_aside) == (1, 0)


@pytest.mark.parametrize("other", ["1006,7", "1006,", "0,6"])
def test_a_repetition_with_other_values_is_a_conflict_and_the_first_counts(
    tmp_path: Path, other: str
) -> None:
    found = read(tmp_path, {7: f"{stamp(6)},{other}"})
    (bad,) = found.report.bad_rows
    assert (bad.line, bad.field, bad.value) == (9, "ts_utc", stamp(6))
    named = "load_kw" if other.startswith("0") else "solar_kw"
    assert bad.reason.startswith(f"conflict: line 8 has this time and another {named}, and the first counts")
    assert found.series.frame["load_kw"].iloc[6] == 1006.0
    assert (found.report.used, found.report.set_aside, found.report.duplicates) == (ROWS - 1, 1, 0)


def test_a_conflict_is_with_the_first_row_that_can_be_used_also_when_unsorted(tmp_path: Path) -> None:
    found = read(tmp_path, {3: f"{stamp(6)},bad,6", 4: f"{stamp(6)},50,6"})
    assert [(row.line, row.field) for row in found.report.bad_rows] == [(5, "load_kw"), (8, "ts_utc")]
    assert "line 6 has this time" in found.report.bad_rows[1].reason
    assert found.series.frame["load_kw"].loc[stamp(6).removesuffix("Z")] == 50.0


@pytest.mark.parametrize(("rows", "bad", "allowed"), [(400, 4, True), (400, 5, False), (99, 1, False)])
def test_one_percent_of_bad_rows_is_allowed_and_more_is_an_error(
    tmp_path: Path, rows: int, bad: int, allowed: bool
) -> None:
    changed = {row: f"{stamp(row)},oops,1" for row in range(10, 10 + bad)}
    if allowed:
        assert read(tmp_path, changed, rows).report.set_aside == bad
        return
    with pytest.raises(CsvError) as caught:
        read(tmp_path, changed, rows)
    text = str(caught.value)
    assert f"{bad} of {rows} rows cannot be used, more than 1 %" in text
    assert "line 12: load_kw 'oops': no number; leave a missing value blank" in text
    assert "Correct or remove these lines" in text


def test_conflicts_count_towards_the_one_percent(tmp_path: Path) -> None:
    changed = {row: f"{stamp(0)},{row},1" for row in range(10, 15)}
    with pytest.raises(CsvError, match=r"5 of 400 rows cannot be used.*line 12: ts_utc .*conflict: line 2 "):
        read(tmp_path, changed)


def test_duplicates_do_not_count_towards_the_one_percent(tmp_path: Path) -> None:
    assert read(tmp_path, dict.fromkeys(range(10, 300), line(0))).report.duplicates == 290


def test_very_many_bad_rows_are_all_counted_and_the_first_by_line_are_listed(tmp_path: Path) -> None:
    changed = {row: f"{stamp(row)},x,1" for row in range(3000, 3300, 10)}
    changed |= {row: f"{stamp(0)},5,1" for row in range(3005, 3305, 10)}
    report = read(tmp_path, changed, rows=7000).report
    assert (report.set_aside, len(report.bad_rows)) == (60, LISTED_BAD_ROWS)
    assert [row.line for row in report.bad_rows] == [3002 + 5 * place for place in range(LISTED_BAD_ROWS)]
    assert report.lines()[-1] == f"set aside {60 - LISTED_BAD_ROWS} more rows"


def test_conflicts_are_listed_by_line_whatever_their_times(tmp_path: Path) -> None:
    changed = {row: f"{stamp(2999 - row)},5,1" for row in range(2900, 2925)}
    report = read(tmp_path, changed, rows=3000).report
    assert report.set_aside == 25
    assert [row.line for row in report.bad_rows] == list(range(2902, 2902 + LISTED_BAD_ROWS))


def test_an_error_shows_five_bad_rows_and_that_there_are_more(tmp_path: Path) -> None:
    for bad, more in ((5, False), (6, True)):
        with pytest.raises(CsvError) as caught:
            read(tmp_path, {row: f"{stamp(row)},oops,1" for row in range(bad)})
        assert str(caught.value).count("'oops'") == 5
        assert ("…" in str(caught.value)) is more


def test_line_numbers_stay_true_in_files_of_many_thousand_rows(tmp_path: Path) -> None:
    changed = {row: f"{stamp(row)},x,1" for row in (65_534, 65_535, 65_536, 69_999)}
    report = read(tmp_path, {**changed, 68_000: line(3), 69_000: f"{stamp(4)},0,0"}, rows=70_000).report
    assert [row.line for row in report.bad_rows] == [65_536, 65_537, 65_538, 69_002, 70_001]
    assert (report.rows, report.used, report.set_aside, report.duplicates) == (70_000, 69_994, 5, 1)


def test_a_huge_cell_is_cut_in_the_report_and_answered_quickly(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, {7: f"{stamp(7)},{'1' * 500_000}x,1"}).report.bad_rows
    assert bad.reason.startswith("no number")
    assert len(bad.value) < 50
    assert str(bad).endswith("…: no number; leave a missing value blank")


def test_control_characters_in_a_cell_are_escaped_where_it_is_shown(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, {7: f"{stamp(7)},\x1b[31m7,1"}).report.bad_rows
    assert str(bad).isprintable()


def test_a_missing_value_never_becomes_zero(tmp_path: Path) -> None:
    frame = read(tmp_path, {7: f"{stamp(7)},,", 8: f"{stamp(8)},5,"}).series.frame
    assert not (frame.iloc[7:9][["net_load_kw", "solar_kw"]] == 0).to_numpy().any()
    assert np.isnan(frame["net_load_kw"].iloc[[7, 8]]).all()
