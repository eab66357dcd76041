"""A CSV's text: plain or gzip by content, UTF-8, one row a line, so that line numbers are true."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from grid.csv_report import BadRow, shown
from grid.errors import CsvError

GZIP_MAGIC = b"\x1f\x8b"
UTF8_MARK = b"\xef\xbb\xbf"
LARGEST_BYTES = 2**30
"""Unpacked size that is still read: some six years of one channel's 5-second pulses at 27 bytes a row."""
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

Line = tuple[int, str]
"""Line number (from 1) and text of a line that is not blank."""


@dataclass(frozen=True)
class Cells:
    """The wanted fields of the rows that have the right number of them.

    Attributes:
        columns: the fields, stripped, in the order in which they were wanted.
        lines: line number of each row.
        bad_rows: rows with another number of fields, or with broken quotes.
    """

    columns: list[list[str]]
    lines: list[int]
    bad_rows: list[BadRow]


def read_content(path: Path) -> bytes:
    """A file's bytes, unpacked and known to be UTF-8 text, without its byte order mark.

    Raises:
        CsvError: if the file cannot be read, unpacked or decoded, or is too large.
    """
    content = _unpack(path).removeprefix(UTF8_MARK)
    _require_text(content)
    return content


def split_lines(content: bytes) -> Iterator[Line]:
    """The lines that are not blank, one by one; LF, CRLF and CR end a line."""
    for number, line in enumerate(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"), 1):
        if not line.isspace():
            yield number, line.removesuffix("\n")


def split_header(line: Line) -> tuple[str, ...]:
    """The column names, stripped.

    Raises:
        CsvError: if something else than commas separates them, on broken quotes, or if a name
            appears twice.
    """
    number, text = line
    for separator, called in OTHER_SEPARATORS.items():
        if separator in text and "," not in text:
            raise CsvError(
                f"line {number}: the header {shown(text)} is separated by {called};"
                " save the file with commas between fields and decimal points in numbers"
            )
    fields = _fields(text)
    if fields is None:
        raise CsvError(f"line {number}: the header {shown(text)} has a broken quote; close it")
    names = tuple(field.strip() for field in fields)
    twice = next((name for name, times in Counter(names).items() if name and times > 1), None)
    if twice is not None:
        raise CsvError(f"line {number}: the header names {shown(twice)} twice; rename or remove one column")
    return names


def take_cells(lines: Sequence[Line], width: int, wanted: Sequence[int]) -> Cells:
    """Split rows into fields and keep the wanted ones.

    Args:
        lines: data lines.
        width: number of fields that a row must have.
        wanted: positions of the fields to keep, at least two.
    """
    take = itemgetter(*wanted)
    rows: list[tuple[str, ...]] = []
    numbers: list[int] = []
    bad_rows: list[BadRow] = []
    for number, text in lines:
        fields = _fields(text)
        if fields is not None and len(fields) == width:
            rows.append(take(fields))
            numbers.append(number)
        else:
            bad_rows.append(BadRow.cut(number, "row", text, _why_unsplit(fields, width)))
    columns = [[row[i].strip() for row in rows] for i in range(len(wanted))]
    return Cells(columns, numbers, bad_rows)


def _why_unsplit(fields: list[str] | None, width: int) -> str:
    if fields is None:
        return "broken quotes; a quoted field ends on its own line"
    return f"{len(fields)} fields where the header has {width}"


def _fields(line: str) -> list[str] | None:
    """The fields of one line; None if its quotes do not close."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True, skipinitialspace=True))
    except csv.Error:
        return None


def _unpack(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            if not packed:
                content = file.read(LARGEST_BYTES + 1)
            else:
                with gzip.open(file) as unpacked:
                    content = unpacked.read(LARGEST_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CsvError(f"broken or truncated gzip ({error}); fetch or pack the file again") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CsvError(f"cannot be read: {reason}; give the path of a readable CSV file") from None
    if len(content) > LARGEST_BYTES:
        raise CsvError(f"more than {LARGEST_BYTES >> 20} MiB unpacked; split the file by time")
    return content


def _require_text(content: bytes) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        where, byte = _line_of(content, error.start), content[error.start]
        raise CsvError(f"line {where}: byte 0x{byte:02x} is not UTF-8 text; save it as UTF-8 CSV") from None
    if (zero := content.find(0)) >= 0:
        where = _line_of(content, zero)
        raise CsvError(f"line {where}: a zero byte: binary data or UTF-16; save it as UTF-8 CSV")


def _line_of(content: bytes, place: int) -> int:
    return len((content[:place] + b".").splitlines())
