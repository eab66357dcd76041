"""What holds for every file: order does not matter, no row is lost, nothing but CsvError is raised."""

import gzip
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grid.csv_series import CsvSeries, read_csv_series
from grid.csv_values import LARGEST, parse_numbers, parse_times, time_kinds
from grid.errors import CsvError
from grid.series import CHANNELS

START = datetime(2024, 1, 1, tzinfo=UTC)
HEADER = "ts_utc,load_kw,solar_kw,price_eur_per_mwh"
VALUES = st.one_of(st.none(), st.floats(-LARGEST, LARGEST), st.integers(-1000, 1000))
FOLDED, SKIPPED = "2024-11-03T01:30:00", "2024-03-10T02:30:00"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv") / "area.csv"


def row(minute: int, cells: tuple[object, ...]) -> str:
    texts = ("" if cell is None else repr(cell) for cell in cells)
    return ",".join([(START + timedelta(minutes=minute)).isoformat(), *texts])


def read(path: Path, rows: list[str]) -> CsvSeries:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return read_csv_series(path)


def hold_invariants(found: CsvSeries) -> None:
    frame, report = found.series.frame, found.report
    assert report.rows == report.used + report.set_aside + report.duplicates
    assert report.used == len(frame) >= 2
    assert 100 * report.set_aside <= report.rows
    assert len(report.bad_rows) == min(report.set_aside, 20)
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"
    assert frame.index.is_unique
    assert frame.index.is_monotonic_increasing
    assert "net_load_kw" in frame
    assert set(frame.columns) <= set(CHANNELS)
    assert not np.isinf(frame.to_numpy(dtype=np.float64)).any()
    assert report.cadence_s > 0
    assert all(line.isprintable() for line in report.lines())


def distinct_rows(smallest: int = 2) -> st.SearchStrategy[list[str]]:
    """Rows of distinct times, each repeated up to three times; the first has a load."""
    minutes = st.lists(st.integers(0, 500_000), min_size=smallest, max_size=40, unique=True)

    @st.composite
    def build(draw: st.DrawFn) -> list[str]:
        rows = [row(minute, draw(st.tuples(VALUES, VALUES, VALUES))) for minute in draw(minutes)]
        rows[0] = ",".join([rows[0].split(",")[0], "1.5", "0.5", "7"])
        return [text for text in rows for _ in range(draw(st.integers(1, 3)))]

    return build()


@given(rows=distinct_rows(), data=st.data())
@settings(max_examples=60)
def test_any_permutation_of_the_rows_gives_the_same_series(
    path: Path, rows: list[str], data: st.DataObject
) -> None:
    first = read(path, rows)
    second = read(path, data.draw(st.permutations(rows)))
    pd.testing.assert_frame_equal(first.series.frame, second.series.frame, check_exact=True)
    assert first.series.cadence_s == second.series.cadence_s
    assert (first.report.used, first.report.duplicates) == (second.report.used, second.report.duplicates)


BAD = ("{},x,1,1", "{},1,inf,1", "{},1,1", "never,1,1,1", "{},1,1,1e99", '{},"1,1,1')


@given(
    repeated=st.lists(st.integers(0, 599), max_size=30),
    spoiled=st.dictionaries(st.integers(0, 599), st.sampled_from(BAD), max_size=6),
    conflicts=st.lists(st.integers(0, 599), max_size=2, unique=True),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40)
def test_every_row_is_used_set_aside_or_a_duplicate(
    path: Path, repeated: list[int], spoiled: dict[int, str], conflicts: list[int], seed: int
) -> None:
    def good(minute: int) -> str:
        return row(minute, (minute, 1, 2))

    rows = [good(minute) for minute in range(600) if minute not in spoiled]
    rows += [good(minute) for minute in repeated if minute not in spoiled]
    copies = len(rows) - 600 + len(spoiled)
    rows += [text.format((START + timedelta(minutes=at)).isoformat()) for at, text in spoiled.items()]
    order = np.random.default_rng(seed).permutation(len(rows))
    rows = [rows[place] for place in order]
    fresh = [at for at in conflicts if at not in spoiled]
    rows += [row(at, (-1, 1, 2)) for at in fresh]
    if 100 * (len(spoiled) + len(fresh)) > len(rows):
        with pytest.raises(CsvError, match="more than 1 %"):
            read(path, rows)
        return
    found = read(path, rows)
    hold_invariants(found)
    assert found.report.rows == len(rows)
    assert found.report.used == 600 - len(spoiled)
    assert found.report.set_aside == len(spoiled) + len(fresh)
    assert found.report.duplicates == copies
    assert all(found.series.frame["load_kw"] >= 0)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """What a series' frame may be: any channels, with missing values and sub-second times."""
    microseconds = st.integers(0, 10**14)
    offsets = sorted(draw(st.lists(microseconds, min_size=2, max_size=20, unique=True)))
    stamps = pd.DatetimeIndex([START + timedelta(microseconds=at) for at in offsets], name="ts_utc")
    others = draw(st.sets(st.sampled_from([name for name in CHANNELS if name != "net_load_kw"])))
    names = [name for name in CHANNELS if name in {*others, "net_load_kw"}]
    cells = draw(st.lists(VALUES, min_size=len(offsets) * len(names), max_size=len(offsets) * len(names)))
    values = np.array(cells, dtype=np.float64).reshape(len(offsets), len(names))
    values[0, names.index("net_load_kw")] = 0.1
    return pd.DataFrame(values, stamps.as_unit("us"), names)


@given(frame=frames(), packed=st.booleans())
@settings(max_examples=60)
def test_a_frame_written_by_pandas_reads_back_equal(path: Path, frame: pd.DataFrame, packed: bool) -> None:
    frame.to_csv(path, compression="gzip" if packed else None)
    found = read_csv_series(path)
    pd.testing.assert_frame_equal(found.series.frame, frame, check_exact=True, check_freq=False)
    assert (found.report.set_aside, found.report.duplicates) == (0, 0)


@given(st.text("0123456789.eE+-", max_size=12))
@example("1.")
@example(".5")
@example(".")
@example("1e5")
@example("1e")
@example("+-1")
@example("1e400")
def test_a_cell_is_a_number_exactly_where_python_says_so(cell: str) -> None:
    try:
        expected = float(cell)
    except ValueError:
        expected = math.nan
    (value,), reasons = parse_numbers([cell], 1.0)
    if abs(expected) <= LARGEST:
        assert (value, reasons) == (expected, {})
    else:
        assert math.isnan(value)
        assert bool(reasons) == (cell != "")


@given(st.text(max_size=8))
@example("١٢")
@example("1_0")
@example(" 1")
def test_only_plain_numerals_become_values(cell: str) -> None:
    (value,), _ = parse_numbers([cell], 1.0)
    assert math.isnan(value) or (cell.isascii() and set(cell) <= set("0123456789.eE+-"))


@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 30)),  # noqa: DTZ001 - the offset is drawn
    offset_min=st.integers(-14 * 60, 14 * 60),
    separator=st.sampled_from("T "),
    precision=st.sampled_from(["minutes", "seconds", "milliseconds", "microseconds"]),
)
def test_a_time_is_the_instant_that_python_reads(
    moment: datetime, offset_min: int, separator: str, precision: str
) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    text = aware.isoformat(separator, precision)
    times, reasons = parse_times([text], time_kinds([text]), ZoneInfo("America/Chicago"))
    assert reasons == {}
    assert times[0].item().replace(tzinfo=UTC) == datetime.fromisoformat(text)


@given(
    st.lists(
        st.from_regex(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:]{2,8}(Z|[+-][0-9:]{2,5})?", fullmatch=True)
    )
)
def test_a_time_like_text_is_read_as_python_reads_it_or_has_a_reason(texts: list[str]) -> None:
    times, reasons = parse_times(texts, time_kinds(texts), ZoneInfo("UTC"))
    for place, text in enumerate(texts):
        if np.isnat(times[place]):
            assert place in reasons
            continue
        expected = datetime.fromisoformat(text)
        expected = expected if expected.tzinfo else expected.replace(tzinfo=UTC)
        assert times[place].item().replace(tzinfo=UTC) == expected
        assert place not in reasons


@st.composite
def mutations(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to eight pieces replaced, removed, repeated or put in."""
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 1, 1, 5, 40, 4000])))
        piece = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([b"", b"\n", b"\r", b'"', b",", b"nan", b"-inf", b"1e999", b"\0", b"\xff"]),
                st.sampled_from([FOLDED.encode(), SKIPPED.encode(), HEADER.encode(), content[start:end] * 2]),
            )
        )
        content = content[:start] + piece + content[end:]
    return content


PLAIN = "\n".join([HEADER, *(row(minute, (minute, 1, 2)) for minute in range(250))]).encode() + b"\n"
PACKED = gzip.compress(PLAIN, mtime=0)


@pytest.mark.parametrize(
    "content", [PLAIN, PACKED, PLAIN.replace(b"+00:00", b"")], ids=["plain", "gzip", "naive"]
)
@given(data=st.data(), tz=st.sampled_from([None, "America/Chicago"]))
@settings(max_examples=150)
def test_a_mutated_file_reads_by_the_rules_or_is_a_csv_error(
    path: Path, content: bytes, data: st.DataObject, tz: str | None
) -> None:
    path.write_bytes(data.draw(mutations(content)))
    try:
        found = read_csv_series(path, tz=tz)
    except CsvError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).isprintable()
    else:
        hold_invariants(found)


CELLS = st.one_of(
    st.text('0123456789.,;eE+-nafi"TZ: \t\r\n\\', max_size=10),
    st.sampled_from(["load_kw", "ts_utc", "price_eur_per_mwh", "2024-01-01T00:00Z", FOLDED, "1", ""]),
    st.text(max_size=5),
)


@given(
    table=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=6),
    mapping=st.dictionaries(st.sampled_from(["load", "price", "x", ""]), CELLS, max_size=2),
    tz=st.one_of(st.none(), st.just("America/Chicago"), st.text(max_size=12)),
    headed=st.booleans(),
)
@settings(max_examples=200)
def test_a_table_of_anything_reads_by_the_rules_or_is_a_csv_error(
    path: Path, table: list[list[str]], mapping: dict[str, str], tz: str | None, headed: bool
) -> None:
    text = "\n".join(",".join(cells) for cells in table)
    path.write_bytes((f"ts_utc,load_kw\n{text}" if headed else text).encode("utf-8", "surrogatepass"))
    try:
        found = read_csv_series(path, mapping=mapping, tz=tz)
    except CsvError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        hold_invariants(found)
