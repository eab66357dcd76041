"""The series store in one SQLite file (WAL): one writing process, any number of readers."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline import sqlite_rows as rows
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent, by_site
from pipeline.sqlite_rows import Row
from pipeline.sqlite_schema import SCHEMA_VERSION, statements_since
from pipeline.sqlite_tail import Tails
from pipeline.store import FEATURE_STORE_ROWS, SlotSum
from pipeline.timestamps import to_micros
from pipeline.verdict import Verdict

BUSY_TIMEOUT_S: Final = 10.0

_SITES = """
WITH RECURSIVE next(site) AS (
    SELECT min(site) FROM telemetry
    UNION ALL
    SELECT (SELECT min(site) FROM telemetry WHERE site > next.site) FROM next WHERE next.site IS NOT NULL
) SELECT site FROM next WHERE site IS NOT NULL
"""


class SqliteStore:
    """A :class:`pipeline.store.SeriesStore` in a SQLite file.

    Args:
        path: the file; made when it does not exist, unless ``read_only``.
        read_only: open for reading only, beside the process that writes.

    Raises:
        StoreError: if there is no such store to read, or it is of another version.
    """

    def __init__(self, path: Path | str, read_only: bool = False) -> None:
        self._path = Path(path).absolute()
        self._read_only = read_only
        self._lock = Lock()
        self._tails = Tails(self._rows)
        if read_only and not self._path.is_file():
            raise StoreError(
                f"path={self._path}: there is no series store yet; start the stream that writes it"
            )
        mode = "ro" if read_only else "rwc"
        try:
            self._db = sqlite3.connect(
                f"{self._path.as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.DatabaseError as error:
            raise StoreError(f"path={self._path}: cannot be opened as a series store ({error})") from error
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreError(f"path={self._path}: cannot be opened as a series store ({error})") from error

    def _open(self) -> None:
        if not self._read_only:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            with _Transaction(self._db):
                if self._version() < SCHEMA_VERSION:
                    for statement in statements_since(self._version()):
                        self._db.execute(statement)
        found = self._version()
        if found != SCHEMA_VERSION:
            self._db.close()
            fix = "start the stream that writes it" if found < SCHEMA_VERSION else "move the file away"
            raise StoreError(f"path={self._path}: schema version {found}, not {SCHEMA_VERSION}; {fix}")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> "SqliteStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- reading ------------------------------------------------------------------------------

    def sites(self) -> list[str]:
        """Sites with telemetry, sorted."""
        return [str(row[0]) for row in self._rows(_SITES)]

    def latest(self, site: str, n: int = FEATURE_STORE_ROWS) -> list[Telemetry]:
        """The newest ``n`` observations of a site, oldest first."""
        found = self._rows("SELECT * FROM telemetry WHERE site = ? ORDER BY ts DESC LIMIT ?", site, n)
        return [rows.telemetry_of(row) for row in reversed(found)]

    def telemetry(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Observations with ``start <= ts_utc < end``."""
        return self._tails.between(site, to_micros(start), to_micros(end))

    def latest_forecast(self, site: str) -> Forecast | None:
        """The newest forecast, however old it is: check its ``issued_at`` before acting on it."""
        sql = "SELECT * FROM forecasts WHERE site = ? ORDER BY issued_at DESC, target_at LIMIT 1"
        return next((rows.forecast_of(row) for row in self._rows(sql, site)), None)

    def forecasts(self, site: str, start: datetime, end: datetime) -> list[Forecast]:
        """Forecasts with ``start <= issued_at < end``."""
        sql = "SELECT * FROM forecasts WHERE site = ? AND issued_at >= ? AND issued_at < ? ORDER BY issued_at"
        return [rows.forecast_of(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def quotes(self, site: str, start: datetime, end: datetime) -> list[PriceQuote]:
        """Quotes of the intervals that begin in ``start <= ts_utc < end``."""
        sql = "SELECT * FROM quotes WHERE site = ? AND ts >= ? AND ts < ? ORDER BY ts"
        found = self._rows(sql, site, to_micros(start), to_micros(end))
        return [rows.quote_of(row) for row in found]

    def events(self, site: str, since: datetime) -> list[InstabilityEvent]:
        """Instability events that are open, or ended at or after ``since``."""
        sql = (
            "SELECT * FROM events WHERE site = ? AND (ended_at IS NULL OR ended_at >= ?) ORDER BY started_at"
        )
        return [rows.event_of(row) for row in self._rows(sql, site, to_micros(since))]

    def open_events(self, at: datetime) -> dict[str, list[InstabilityEvent]]:
        """``events(site, at)`` of every site that has any, in one read."""
        sql = "SELECT * FROM events WHERE ended_at IS NULL OR ended_at >= ? ORDER BY started_at"
        return by_site(rows.event_of(row) for row in self._rows(sql, to_micros(at)))

    def dispatches(self, site: str, start: datetime, end: datetime) -> list[AssetDispatch]:
        """What the assets did in the spans that begin in ``start <= t < end``, by start and asset."""
        sql = "SELECT * FROM dispatches WHERE site = ? AND start >= ? AND start < ? ORDER BY start, asset"
        return [rows.dispatch_of(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def trades(self, site: str, start: datetime, end: datetime) -> list[EnergyTrade]:
        """What was sold and bought in the spans that begin in ``start <= t < end``, by start and asset."""
        sql = "SELECT * FROM trades WHERE site = ? AND start >= ? AND start < ? ORDER BY start, asset"
        return [rows.trade_of(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def slots(self, site: str, start: datetime, end: datetime) -> list[SlotSum]:
        """Closed slots of the seasonal memory that begin in ``start <= t < end``."""
        sql = "SELECT * FROM slots WHERE site = ? AND start >= ? AND start < ? ORDER BY start"
        return [rows.slot_of(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def verdicts(self, site: str, start: datetime, end: datetime) -> list[Verdict]:
        """Verdicts on the pulses with ``start <= ts_utc < end``."""
        sql = "SELECT * FROM verdicts WHERE site = ? AND ts >= ? AND ts < ? ORDER BY ts"
        return [rows.verdict_of(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def _rows(self, sql: str, *values: object) -> list[Row]:
        try:
            with self._lock:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(
                f"path={self._path}: cannot be read ({error}); look for missing rights or a damaged file"
            ) from error

    # -- writing ------------------------------------------------------------------------------

    def write(
        self,
        telemetry: Sequence[Telemetry],
        forecasts: Sequence[Forecast] = (),
        events: Sequence[InstabilityEvent] = (),
        slots: Sequence[SlotSum] = (),
        verdicts: Sequence[Verdict] = (),
    ) -> None:
        """Write all of it, or nothing.

        Raises:
            StoreError: if the store was opened for reading only.
        """
        self._write(
            (
                "INSERT INTO telemetry VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                map(rows.telemetry_row, telemetry),
            ),
            (
                "INSERT INTO forecasts VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                map(rows.forecast_row, forecasts),
            ),
            ("INSERT OR REPLACE INTO events VALUES (?,?,?,?,?,?,?)", map(rows.event_row, events)),
            ("INSERT OR REPLACE INTO slots VALUES (?,?,?,?)", map(rows.slot_row, slots)),
            (
                "INSERT INTO verdicts VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                map(rows.verdict_row, verdicts),
            ),
        )

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        """Write price quotes; a newer quote of an interval replaces the older one.

        Raises:
            StoreError: if the store was opened for reading only.
        """
        self._write(("INSERT OR REPLACE INTO quotes VALUES (?,?,?,?,?)", map(rows.quote_row, quotes)))

    def write_settled(self, dispatches: Sequence[AssetDispatch], trades: Sequence[EnergyTrade]) -> None:
        """Write what the assets did and what it was worth; a newer version of a span replaces the older.

        Raises:
            StoreError: if the store was opened for reading only.
        """
        self._write(
            (
                "INSERT OR REPLACE INTO dispatches VALUES (?,?,?,?,?,?,?,?,?,?)",
                map(rows.dispatch_row, dispatches),
            ),
            ("INSERT OR REPLACE INTO trades VALUES (?,?,?,?,?,?,?)", map(rows.trade_row, trades)),
        )

    def _write(self, *statements: tuple[str, Iterable[Row]]) -> None:
        if self._read_only:
            raise StoreError(
                f"path={self._path}: opened for reading only; open it with read_only=False to write"
            )
        try:
            with self._lock, _Transaction(self._db):
                for sql, values in statements:
                    self._db.executemany(sql, values)
        except sqlite3.Error as error:
            raise StoreError(
                f"path={self._path}: cannot be written ({error}); nothing was. Look for a process that "
                "holds it, a full disk or missing rights"
            ) from error


class _Transaction:
    """One immediate transaction: committed at the end, rolled back by any error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
