"""What reading a CSV found: for the terminal as lines, for files as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

LISTED_BAD_ROWS = 20
"""Rows set aside are all counted; this many are listed."""
SHOWN_CHARACTERS = 40
SHOWN_NAMES = 40


def shown(text: str) -> str:
    """A value as an error shows it: quoted, control characters escaped, cut after 40 characters."""
    return repr(text) if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]!r}…"


def listing(names: Sequence[str]) -> str:
    """Column names as texts show them: the first 40, each as :func:`shown`, and how many more."""
    texts = ", ".join(shown(name) for name in names[:SHOWN_NAMES])
    return f"{texts} and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else texts


@dataclass(frozen=True)
class BadRow:
    """A row that was set aside.

    Attributes:
        line: in the file, from 1.
        field: the column's name; ``row`` where the line as a whole is at fault.
        value: as the file has it, cut after 41 characters; of a row in conflict, its time in UTC.
        reason: why it cannot be used, and what to do.
    """

    line: int
    field: str
    value: str
    reason: str

    @classmethod
    def cut(cls, line: int, field: str, value: str, reason: str) -> "BadRow":
        """One with its value cut, so that a report stays short whatever the file holds."""
        return cls(line, field, value[: SHOWN_CHARACTERS + 1], reason)

    def __str__(self) -> str:
        return f"line {self.line}: {self.field} {shown(self.value)}: {self.reason}"


@dataclass(frozen=True)
class ColumnUse:
    """The column that feeds a channel, and its unit in the file."""

    column: str
    unit: str


@dataclass(frozen=True)
class IngestReport:
    """How a file's rows became a series.

    Invariants:
        ``rows == used + set_aside + duplicates``; ``bad_rows`` holds the first of those set aside.

    Attributes:
        path: of the file.
        rows: data lines read; blank lines are none.
        used: rows in the series.
        set_aside: rows that could not be used, at most 1 % of ``rows``.
        duplicates: rows that repeat the time and all values that are read of an earlier one.
        bad_rows: the first :data:`LISTED_BAD_ROWS` of those set aside, by line.
        columns: channel → its column.
        ignored_columns: columns that feed no channel.
        currency: of the prices; None without prices.
        start_utc, end_utc: interval starts of the first and last row used.
        cadence_s: most common step between rows, in seconds.
        gaps: places where rows are absent.
        longest_gap_s: time without rows in the longest, in seconds.
        net_load_rows: rows that have a net load; 0 for a file of prices only.
        notes: what else the reader should know.
    """

    path: str
    rows: int
    used: int
    set_aside: int
    duplicates: int
    bad_rows: tuple[BadRow, ...]
    columns: Mapping[str, ColumnUse]
    ignored_columns: tuple[str, ...]
    currency: str | None
    start_utc: datetime
    end_utc: datetime
    cadence_s: float
    gaps: int
    longest_gap_s: float
    net_load_rows: int
    notes: tuple[str, ...]

    @property
    def has_net_load(self) -> bool:
        """Whether any row has a net load; a file of prices only has none."""
        return self.net_load_rows > 0

    def to_dict(self) -> dict[str, object]:
        """The same as JSON values; times in ISO-8601."""
        return {
            **asdict(self),
            "start_utc": self.start_utc.isoformat(),
            "end_utc": self.end_utc.isoformat(),
        }

    def lines(self) -> list[str]:
        """The report for people, one remark a line."""
        uses = ", ".join(f"{channel} from {use.column}" for channel, use in self.columns.items())
        longest = timedelta(seconds=self.longest_gap_s)
        gaps = f"gaps: {self.gaps:,}, the longest {longest}" if self.gaps else "no gaps"
        remarks = [
            f"{self.path}: {self.rows:,} rows read, {self.used:,} used, {self.set_aside:,} set aside,"
            f" {self.duplicates:,} duplicates",
            f"{self.start_utc.isoformat()} to {self.end_utc.isoformat()}, every {self.cadence_s:g} s, {gaps}",
            f"{uses}; currency {self.currency}" if self.currency else uses,
        ]
        if self.ignored_columns:
            remarks.append(f"ignored columns: {listing(self.ignored_columns)}")
        remarks += self.notes
        remarks += [f"set aside {row}" for row in self.bad_rows]
        if self.set_aside > len(self.bad_rows):
            remarks.append(f"set aside {self.set_aside - len(self.bad_rows):,} more rows")
        return remarks
