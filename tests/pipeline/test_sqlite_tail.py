"""What is kept of the newest pulses is what the store holds, whoever writes, in whatever order."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from pipeline import sqlite_tail
from pipeline.errors import StoreError
from pipeline.sqlite_rows import Row
from pipeline.sqlite_store import SqliteStore
from pipeline.sqlite_tail import Tails
from pipeline.timestamps import to_micros

START = datetime(2024, 5, 1, tzinfo=UTC)
STAMPS = st.integers(0, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("ours", "theirs")), st.lists(STAMPS, max_size=8)),
        st.tuples(st.just("read"), st.lists(STAMPS, min_size=2, max_size=2)),
    ),
    max_size=25,
)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def pulse(second: int, site: str = "area") -> Telemetry:
    return Telemetry(site, at(second), net_load_kw=float(second))


def seconds(store: SqliteStore, first: int, last: int, site: str = "area") -> list[int]:
    return [
        int((found.ts_utc - START).total_seconds()) for found in store.telemetry(site, at(first), at(last))
    ]


@given(STEPS)
def test_a_range_is_what_was_written_whoever_wrote_and_whatever_was_read_before(
    steps: list[tuple[str, list[int]]],
) -> None:
    written: set[int] = set()
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as folder,
        SqliteStore(Path(folder) / "telemetry.db") as ours,
        SqliteStore(Path(folder) / "telemetry.db") as theirs,
    ):
        patch.setattr(sqlite_tail, "KEPT", 10)
        for step, numbers in steps:
            if step == "read":
                first, last = numbers
                assert seconds(ours, first, last) == [s for s in range(first, last) if s in written]
                assert seconds(ours, first, last, "another") == []
            else:
                written.update(numbers)
                (ours if step == "ours" else theirs).write([pulse(number) for number in numbers])


@pytest.fixture
def asked() -> list[str]:
    """What a store was asked for, and how many rows it gave."""
    return []


@pytest.fixture
def between(tmp_path: Path, asked: list[str]) -> Iterator[Callable[[int, int], int]]:
    """How many pulses there are from one second to another; twenty were written, one a second."""
    with (
        SqliteStore(tmp_path / "telemetry.db") as store,
        closing(sqlite3.connect(tmp_path / "telemetry.db")) as db,
    ):
        store.write([pulse(number) for number in range(20)])

        def query(sql: str, *values: object) -> list[Row]:
            found = db.execute(sql, values).fetchall()
            asked.append("counted" if "count" in sql else f"read {len(found)}")
            return found

        tails = Tails(query)
        yield lambda first, last: len(tails.between("area", to_micros(at(first)), to_micros(at(last))))


def test_what_was_read_once_is_counted_and_not_read_again(
    between: Callable[[int, int], int], asked: list[str]
) -> None:
    assert (between(5, 10), between(8, 12), between(6, 12)) == (5, 4, 6)
    assert asked == ["read 5", "counted", "read 2", "counted"]


def test_an_earlier_start_is_kept_together_with_the_newest(
    between: Callable[[int, int], int], asked: list[str]
) -> None:
    assert (between(10, 15), between(5, 12), between(6, 15)) == (5, 7, 9)
    assert asked == ["read 5", "read 10", "counted"]


def test_a_look_at_what_is_long_past_displaces_nothing(
    between: Callable[[int, int], int], asked: list[str]
) -> None:
    assert (between(10, 15), between(0, 5), between(11, 15)) == (5, 5, 4)
    assert asked == ["read 5", "read 5", "counted"]


def test_what_is_too_much_loses_its_older_half(
    between: Callable[[int, int], int], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_tail, "KEPT", 6)
    assert (between(0, 6), between(0, 8)) == (6, 8)
    assert (between(5, 8), between(0, 8), between(0, 4)) == (3, 8, 4)
    assert asked == ["read 6", "counted", "read 2", "counted", "read 8", "read 4"]


def test_a_list_that_was_handed_out_is_the_callers_own(store: SqliteStore) -> None:
    store.write([pulse(number) for number in range(3)])
    store.telemetry("area", at(0), at(3)).clear()
    store.telemetry("area", at(0), at(3)).clear()
    assert seconds(store, 0, 3) == [0, 1, 2]


def test_a_store_that_breaks_says_so_also_of_what_was_read_before(store: SqliteStore) -> None:
    store.write([pulse(0)])
    assert seconds(store, 0, 5) == [0]
    store.close()
    with pytest.raises(StoreError, match="cannot be read"):
        store.telemetry("area", at(0), at(5))
