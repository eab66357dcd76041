"""Structural faults: each is an error that names the file, the place and the fix."""

import bz2
import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.csv_series import read_csv_series
from grid.errors import CsvError

GOOD = b"ts_utc,load_kw\n" + b"".join(b"2024-01-01T%02d:00:00Z,%d\n" % (hour, hour) for hour in range(24))


def refused(folder: Path, content: bytes, tz: str | None = None) -> str:
    """The error's text, less the file's path, which it must begin with."""
    path = folder / "area.csv"
    path.write_bytes(content)
    with pytest.raises(CsvError) as caught:
        read_csv_series(path, tz=tz)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    assert len(text) < 2000
    return text.removeprefix(f"{path}: ")


def test_the_good_file_that_the_others_are_made_of_reads(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_bytes(GOOD)
    assert read_csv_series(path).report.used == 24


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(b"", ["the file is empty", "give one with a header"], id="empty"),
        pytest.param(b" \r\n\n\t\n", ["the file is empty"], id="blank lines"),
        pytest.param("\u00a0\n".encode(), ["the file is empty"], id="blank in Unicode"),
        pytest.param(b"\xef\xbb\xbf", ["the file is empty"], id="byte order mark alone"),
        pytest.param(gzip.compress(b""), ["the file is empty"], id="gzip of nothing"),
        pytest.param(b"ts_utc,load_kw\n", ["no rows below the header", "give a file"], id="header alone"),
        pytest.param(
            GOOD.replace(b"ts_utc", b"time"),
            ["line 1", "no time column", "ts_utc or timestamp", "'time'"],
            id="no time column",
        ),
        pytest.param(b"\n\n" + GOOD.replace(b"ts_utc", b"t"), ["line 3", "no time column"], id="late header"),
        pytest.param(
            GOOD.replace(b"load_kw", b"x"), ["line 1", "'x'", "--map load=COLUMN"], id="no channel's column"
        ),
        pytest.param(GOOD.replace(b"load_kw", b"load"), ["line 1", "'load'", "_w, _kw"], id="no unit"),
        pytest.param(
            b"ts_utc,load_kw,load_kw\n2024-01-01T00:00Z,1,2\n",
            ["line 1", "'load_kw' twice", "rename or remove"],
            id="a column twice",
        ),
        pytest.param(GOOD.replace(b",", b";"), ["line 1", "semicolons", "commas"], id="semicolons"),
        pytest.param(
            b'"ts_utc";"load_kw"\n"2024-01-01T00:00Z";"1,5"\n',
            ["line 1", "semicolons", "decimal points"],
            id="semicolons and decimal commas",
        ),
        pytest.param(GOOD.replace(b",", b"\t"), ["line 1", "tabs", "commas"], id="tabs"),
        pytest.param(b'ts_utc,"load_kw\n', ["line 1", "broken quote", "close it"], id="broken quote"),
        pytest.param(
            GOOD.replace(b"Z", b""), ["line 2", "ts_utc", "'2024-01-01T00:00:00'", "--tz"], id="naive times"
        ),
        pytest.param(GOOD[:37], ["only one time stamp", "two rows"], id="one row"),
        pytest.param(
            b"ts_utc,load_kw\n2024-01-01T00:00Z,\n2024-01-01T01:00Z,NaN\n",
            ["no row has a value in load_kw", "--map"],
            id="no value",
        ),
        pytest.param(
            b"ts_utc,load_kw,solar_kw\n2024-01-01T00:00Z,,1\n2024-01-01T01:00Z,,2\n",
            ["no row has a value in load_kw;"],
            id="no value but solar",
        ),
        pytest.param(
            GOOD.replace(b"2024", b"1224"), ["24 of 24", "line 2", "no ISO-8601 time"], id="old times"
        ),
        pytest.param(
            b"<html><body>404</body></html>\n", ["line 1", "no time column", "'<html><body>404"], id="a page"
        ),
        pytest.param(b'{"ts_utc": 1}\n', ["line 1", "no time column"], id="JSON"),
        pytest.param(
            GOOD[:60] + b"\xff" + GOOD[60:], ["line 3", "0xff", "save it as UTF-8"], id="a bad byte"
        ),
        pytest.param(GOOD[:60] + b"\0" + GOOD[60:], ["line 3", "zero byte", "save it"], id="a zero byte"),
        pytest.param(
            GOOD.replace(b"\n", b"\r")[:60] + b"\xff", ["line 3", "0xff"], id="a bad byte after bare returns"
        ),
    ],
)
def test_a_structural_fault_is_an_error(tmp_path: Path, content: bytes, named: list[str]) -> None:
    text = refused(tmp_path, content)
    assert all(part in text for part in named), text


@pytest.mark.parametrize(
    ("encode", "named"),
    [
        (lambda text: text.encode("utf-16"), "byte 0xff is not UTF-8 text; save it as UTF-8"),
        (lambda text: text.encode("utf-16-le"), "a zero byte: binary data or UTF-16; save it as UTF-8"),
        (lambda text: text.replace("load", "läst").encode("latin-1"), "byte 0xe4 is not UTF-8"),
        (lambda text: text.replace("load", "€").encode("cp1252"), "byte 0x80 is not UTF-8"),
    ],
)
def test_another_encoding_than_utf_8_is_an_error(
    tmp_path: Path, encode: Callable[[str], bytes], named: str
) -> None:
    assert refused(tmp_path, encode(GOOD.decode())).startswith(
        f"line 1: {'a ' * named.startswith('z')}{named}"
    )


def test_a_byte_order_mark_and_all_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_bytes(GOOD)
    plain = read_csv_series(path).series.frame
    for end in (b"\r\n", b"\r", b"\n\n", b"\n  \n"):
        path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace(b"\n", end))
        assert read_csv_series(path).series.frame.equals(plain), end


def test_names_that_are_not_ascii_are_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_bytes(GOOD.replace(b"load_kw", "läst_kw".encode()))
    assert read_csv_series(path, mapping={"load": "läst_kw"}).report.columns["load"].column == "läst_kw"


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:-1],
        lambda packed: packed[:2],
        lambda packed: packed[:10],
        lambda packed: packed[:20] + bytes([packed[20] ^ 0xFF]) + packed[21:],
        lambda packed: packed[:-8] + b"\0\0\0\0" + packed[-4:],
        lambda packed: packed + b"more",
        lambda packed: packed[:2] + b"\x07" + packed[3:],
    ],
    ids=["half", "a byte short", "magic alone", "header alone", "flipped", "checksum", "tail", "method"],
)
def test_a_broken_gzip_is_an_error(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    text = refused(tmp_path, damage(gzip.compress(GOOD, mtime=0)))
    assert text.startswith("broken or truncated gzip (")
    assert text.endswith("fetch or pack the file again")


@pytest.mark.parametrize(
    "content",
    [
        random.Random(1).randbytes(4096),
        gzip.compress(random.Random(2).randbytes(4096)),
        bz2.compress(GOOD),
        b"PK\x03\x04" + random.Random(3).randbytes(512),
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"SQLite format 3\0" + bytes(84),
    ],
    ids=["random", "packed random", "bzip2", "zip", "PDF", "SQLite"],
)
def test_binary_data_is_an_error(tmp_path: Path, content: bytes) -> None:
    text = refused(tmp_path, content)
    assert text.startswith("line ")
    assert "save it as UTF-8 CSV" in text


@pytest.mark.parametrize("name", ["absent.csv", ".", "area.csv/below", "a\0b", "x" * 300])
def test_a_path_that_is_no_readable_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "area.csv").write_bytes(GOOD)
    with pytest.raises(CsvError, match=r"cannot be read: .*; give the path of a readable CSV file"):
        read_csv_series(tmp_path / name)


def test_a_file_that_unpacks_to_too_much_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grid.csv_text.LARGEST_BYTES", 2**20)
    assert "more than 1 MiB unpacked; split the file" in refused(tmp_path, gzip.compress(bytes(2**21)))
    assert "more than 1 MiB unpacked; split the file" in refused(tmp_path, b"1" * (2**20 + 1))


def test_very_wide_and_very_long_headers_are_answered_shortly(tmp_path: Path) -> None:
    wide = ",".join(f"c{place}" for place in range(100_000))
    assert "and 99,960 more" in refused(tmp_path, wide.encode())
    assert "no time column" in refused(tmp_path, b"_mw" * 1_000_000)


def test_a_last_line_without_a_break_is_read_and_remarked(tmp_path: Path) -> None:
    path = tmp_path / "area.csv"
    path.write_bytes(GOOD.removesuffix(b"\n"))
    report = read_csv_series(path).report
    assert report.used == 24
    assert any("may be, too" in note and "cut off" in note for note in report.notes)
    path.write_bytes(GOOD)
    assert not any("cut off" in note for note in read_csv_series(path).report.notes)


def test_reading_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    refused(tmp_path, GOOD[:60] + b"\xff")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("area.csv", GOOD[:60] + b"\xff")
    ]
