"""History to train on: what the operator published, in a file that every command reads."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from grid.csv_series import read_csv_series
from smartgrid.cli import app
from smartgrid.live.areas import AREAS, Area, Feed
from smartgrid.live.errors import AwayError, ChangedAnswerError, LiveError, NotThereError
from smartgrid.live.history import TRIES, Gap, History, fetch_history, require_history
from smartgrid.live.history_file import write_csv
from smartgrid.live.reader import Reader
from smartgrid.live.readings import Remark
from smartgrid.live.source import Ask
from tests.smartgrid.live.conftest import CAISO_DAY
from tests.smartgrid.live.operators import NOT_FOUND, Answer, Operators
from tests.smartgrid.live.recorded import Caiso
from tests.smartgrid.live.test_broken_answers import made_up

FIRST, LAST = date(2019, 6, 17), date(2019, 6, 19)
FIVE = timedelta(minutes=5)


def caiso_ask(_area: Area, feed: Feed, day: date) -> list[list[object]]:
    """Every value of every interval; prices of the hour in the day ahead."""
    start = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
    step = timedelta(seconds=feed.interval_s)
    moments = [start + i * step for i in range(86_400 // feed.interval_s)]
    return [
        [at.isoformat(), *(20_000.0 + at.hour if feed.required else 30.0 + at.hour for _ in feed.channels)]
        for at in moments
    ]


def fetch(ask: Ask, first: date = FIRST, last: date = LAST, slept: list[float] | None = None) -> History:
    waits = [] if slept is None else slept
    return fetch_history(AREAS["CAISO"], first, last, ask, sleep=waits.append, rng=Random(1))


def test_a_recorded_day_is_fetched_into_a_file_that_is_read_as_it_was_measured(
    reader: Reader, operators: Operators, caiso_rows: pd.DataFrame, tmp_path: Path
) -> None:
    operators.answers = Caiso(caiso_rows)
    history = fetch(reader.ask, CAISO_DAY, CAISO_DAY)
    assert history.columns == ("load_mw", "solar_mw", "wind_mw")
    assert (history.gaps, history.remarks) == ([], [])
    assert len(history.problems) == 2, "the prices, which were not there"
    out = tmp_path / "caiso.csv.gz"
    write_csv(history, out)
    got = read_csv_series(out)
    assert (got.report.used, got.report.gaps, got.series.cadence_s) == (288, 0, 300.0)
    pd.testing.assert_series_equal(
        got.series.frame["net_load_kw"], 1000.0 * caiso_rows["net_load_mw"],
        check_names=False, check_dtype=False, check_freq=False, check_index_type=False,
    )  # fmt: skip
    assert list(got.series.frame.index) == list(caiso_rows.index)


def test_all_channels_are_there_and_an_hours_price_is_that_of_its_intervals(tmp_path: Path) -> None:
    history = fetch(caiso_ask)
    assert len(history.rows) == 3 * 288
    out = tmp_path / "caiso.csv"
    write_csv(history, out)
    lines = out.read_text("utf-8").splitlines()
    assert lines[0] == "ts_utc,load_mw,solar_mw,wind_mw,price_usd_per_mwh,da_price_usd_per_mwh"
    assert lines[14] == "2019-06-17T08:05:00Z,20008,20008,20008,38,38"
    series = read_csv_series(out).series
    assert series.price_source == "file"
    assert series.frame["da_price_usd_per_mwh"].notna().all()


def test_a_day_that_is_not_there_is_a_gap_that_is_told_and_not_filled() -> None:
    def ask(area: Area, feed: Feed, day: date) -> list[list[object]]:
        if day == date(2019, 6, 18) and feed.name == "load":
            raise NotThereError("no load of 2019-06-18")
        rows = caiso_ask(area, feed, day)
        return [row for row in rows if feed.name != "load" or row[0] != "2019-06-19T09:00:00+00:00"]

    history = fetch(ask)
    assert history.gaps == [
        Gap(datetime(2019, 6, 18, 7, tzinfo=UTC), 288), Gap(datetime(2019, 6, 19, 9, tzinfo=UTC), 1),
    ]  # fmt: skip
    assert history.problems == ["no load of 2019-06-18"]
    assert len(history.rows) == 2 * 288 - 1


def test_blanks_and_impossible_values_stay_blank_and_are_told(tmp_path: Path) -> None:
    def ask(area: Area, feed: Feed, day: date) -> list[list[object]]:
        rows = caiso_ask(area, feed, day)
        if feed.name == "mix":
            rows[5][1], rows[6][2] = None, 1e9
        return rows

    history = fetch(ask, last=FIRST)
    start = datetime(2019, 6, 17, 7, tzinfo=UTC)
    assert history.missing == {"solar_mw": 1, "wind_mw": 1}
    assert history.remarks == [Remark("refused", start + 6 * FIVE, "wind_mw", new=1e9)]
    write_csv(history, tmp_path / "caiso.csv")
    net_load = read_csv_series(tmp_path / "caiso.csv").series.frame["net_load_kw"]
    assert [i for i, value in enumerate(net_load.isna()) if value] == [5, 6]


def test_where_solar_and_wind_could_not_be_had_net_load_is_missing_and_not_the_load(tmp_path: Path) -> None:
    def ask(area: Area, feed: Feed, day: date) -> list[list[object]]:
        if feed.name != "load":
            raise NotThereError(f"no {feed.name}")
        return caiso_ask(area, feed, day)

    write_csv(fetch(ask, last=FIRST), tmp_path / "caiso.csv")
    frame = read_csv_series(tmp_path / "caiso.csv").series.frame
    assert frame["load_kw"].notna().all()
    assert frame["net_load_kw"].isna().all()


def test_an_operator_that_is_away_is_asked_again_after_the_wait_it_asks_for() -> None:
    failures = iter([AwayError("503", 44.0), AwayError("503", 2000.0)])

    def ask(area: Area, feed: Feed, day: date) -> list[list[object]]:
        for error in failures:
            raise error
        return caiso_ask(area, feed, day)

    slept: list[float] = []
    assert len(fetch(ask, slept=slept).rows) == 3 * 288
    assert slept == [44.0, 2000.0]


def test_an_operator_that_stays_away_or_changed_its_layout_is_an_error() -> None:
    def ask(_area: Area, _feed: Feed, _day: date) -> list[list[object]]:
        raise error

    slept: list[float] = []
    error: Exception = AwayError("timed out")
    with pytest.raises(AwayError):
        fetch(ask, slept=slept)
    assert len(slept) == TRIES - 1
    error = ChangedAnswerError("no column 'Load'")
    with pytest.raises(ChangedAnswerError):
        fetch(ask, slept=slept)
    assert len(slept) == TRIES - 1
    error = NotThereError("no such day")
    with pytest.raises(LiveError, match="no such day"):
        fetch(ask)


@pytest.mark.parametrize(("day", "intervals"), [(date(2019, 3, 10), 276), (date(2019, 11, 3), 288)])
def test_days_on_which_the_clock_changes_are_no_longer_and_no_shorter_than_they_were(
    day: date, intervals: int, reader: Reader, operators: Operators
) -> None:
    operators.answers = Caiso(made_up(day))
    history = fetch(reader.ask, day, day)
    assert len(history.rows) + sum(gap.intervals for gap in history.gaps) == (
        276 if intervals == 276 else 300
    )
    assert sum(gap.intervals for gap in history.gaps) == (0 if intervals == 276 else 24)


@pytest.mark.parametrize(
    ("area", "first", "last", "said"),
    [
        ("ERCOT", FIRST, LAST, "Fuel Mix Report"),
        ("CAISO", LAST, FIRST, "lies before"),
        ("NYISO", FIRST, date(2026, 3, 1), "2026-02-28 or earlier"),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_what_can(
    area: str, first: date, last: date, said: str
) -> None:
    with pytest.raises(LiveError, match=said):
        require_history(AREAS[area], first, last, date(2026, 3, 1))


@pytest.fixture
def command(reader: Reader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``smartgrid data fetch``, with the tests' reader."""

    @contextmanager
    def shared(*_: object, **__: object) -> Iterator[Reader]:
        yield reader

    monkeypatch.setattr("smartgrid.live.reader.open_reader", shared)

    def run(*words: str) -> Any:
        line = ["data", "fetch", "--iso", "CAISO", "--from", str(FIRST), "--state", str(tmp_path), *words]
        return CliRunner().invoke(app, line)

    return run


def test_the_command_writes_tells_and_does_not_write_over_a_file(
    command: Any, operators: Operators, tmp_path: Path
) -> None:
    operators.answers = Caiso(made_up(FIRST))
    out = tmp_path / "history" / "caiso.csv.gz"
    done = command("--out", str(out), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["rows"], told["gaps"], told["columns"]) == (288, [], ["load_mw", "solar_mw", "wind_mw"])
    assert gzip.decompress(out.read_bytes()).startswith(
        b"ts_utc,load_mw,solar_mw,wind_mw\n2019-06-17T07:00:00Z,20000,"
    )
    before = out.read_bytes()
    again = command("--out", str(out))
    assert isinstance(again.exception, LiveError)
    assert "--force" in str(again.exception)
    assert out.read_bytes() == before
    done = command("--out", str(out), "--force")
    assert done.exit_code == 0, done.output
    assert "288 intervals of load_mw, solar_mw, wind_mw" in done.stdout
    assert out.read_bytes() == before


@pytest.mark.parametrize("answer", [Answer(b"<html>", "text/html"), NOT_FOUND])
def test_where_nothing_can_be_read_no_file_is_written(
    answer: Answer, command: Any, operators: Operators, tmp_path: Path
) -> None:
    operators.answers = lambda _: answer
    done = command("--out", str(tmp_path / "caiso.csv"))
    assert isinstance(done.exception, LiveError)
    assert list(tmp_path.glob("caiso*")) == []
