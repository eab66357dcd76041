"""A CSV's header, understood: where the time is, and which columns feed the channels."""

from collections.abc import Mapping
from dataclasses import dataclass

from grid.csv_columns import Column, choose_columns, find_time_column
from grid.csv_text import Line, split_header
from grid.errors import CsvError


@dataclass(frozen=True)
class Layout:
    """What each field of a row is.

    Attributes:
        header: the column names.
        time_at: position of the time column, from 0.
        columns: those that feed channels.
    """

    header: tuple[str, ...]
    time_at: int
    columns: tuple[Column, ...]

    @property
    def time_name(self) -> str:
        """The time column's name."""
        return self.header[self.time_at]

    @property
    def wanted(self) -> tuple[int, ...]:
        """Positions of the fields to read: the time, then each channel's."""
        return (self.time_at, *(column.position for column in self.columns))

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the columns that are not read."""
        return tuple(name for at, name in enumerate(self.header) if name and at not in self.wanted)

    @property
    def currency(self) -> str | None:
        """Of the prices; None where the file has none."""
        return next((column.currency for column in self.columns if column.currency), None)


def read_layout(line: Line, mapping: Mapping[str, str]) -> Layout:
    """Understand the header line.

    Args:
        line: number and text of the header.
        mapping: channel → column, where the names do not say it.

    Raises:
        CsvError: if it cannot be split, has no time column, or its columns cannot be told apart;
            the text names the line.
    """
    header = split_header(line)
    try:
        return Layout(header, find_time_column(header), choose_columns(header, mapping))
    except CsvError as error:
        raise CsvError(f"line {line[0]}: {error}") from None
