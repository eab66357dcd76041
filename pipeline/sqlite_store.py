"""The series store in one SQLite file (WAL): one writing process, any number of readers."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final

from grid.market import PriceQuote
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.store import FEATURE_STORE_ROWS
from pipeline.timestamps import from_micros, to_micros

SCHEMA_VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 10.0

_SCHEMA = """
CREATE TABLE telemetry (
    site TEXT NOT NULL, ts INTEGER NOT NULL,
    load_kw REAL, solar_kw REAL, wind_kw REAL, net_load_kw REAL,
    price_usd_per_mwh REAL, da_price_usd_per_mwh REAL, frequency_hz REAL,
    PRIMARY KEY (site, ts)
) WITHOUT ROWID;
CREATE TABLE forecasts (
    site TEXT NOT NULL, issued_at INTEGER NOT NULL, target_at INTEGER NOT NULL,
    net_load_kw REAL NOT NULL, p10_kw REAL NOT NULL, p50_kw REAL NOT NULL, p90_kw REAL NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (site, issued_at, target_at)
) WITHOUT ROWID;
CREATE TABLE events (
    site TEXT NOT NULL, started_at INTEGER NOT NULL, event_id TEXT NOT NULL,
    kind TEXT NOT NULL, ended_at INTEGER, severity TEXT NOT NULL, cause_kw REAL,
    PRIMARY KEY (site, started_at, event_id)
) WITHOUT ROWID;
CREATE TABLE quotes (
    site TEXT NOT NULL, ts INTEGER NOT NULL, interval_s REAL NOT NULL,
    price_usd_per_mwh REAL, da_price_usd_per_mwh REAL,
    PRIMARY KEY (site, ts)
) WITHOUT ROWID;
CREATE VIEW net_load AS
    SELECT site, strftime('%Y-%m-%dT%H:%M:%fZ', ts / 1e6, 'unixepoch') AS ts_utc,
           net_load_kw AS Net_Load_kW
    FROM telemetry;
CREATE VIEW predictions AS
    SELECT site, strftime('%Y-%m-%dT%H:%M:%fZ', issued_at / 1e6, 'unixepoch') AS issued_at_utc,
           strftime('%Y-%m-%dT%H:%M:%fZ', target_at / 1e6, 'unixepoch') AS target_at_utc,
           p50_kw AS Predicted_30min_Change, p10_kw, p90_kw, net_load_kw AS Net_Load_kW, model
    FROM forecasts;
"""
_SITES = """
WITH RECURSIVE next(site) AS (
    SELECT min(site) FROM telemetry
    UNION ALL
    SELECT (SELECT min(site) FROM telemetry WHERE site > next.site) FROM next WHERE next.site IS NOT NULL
) SELECT site FROM next WHERE site IS NOT NULL
"""

Row = tuple[Any, ...]
"""A row as sqlite3 hands it out; the functions below give it its types back."""


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
                if self._version() == 0:
                    for statement in _SCHEMA.split(";"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if self._version() != SCHEMA_VERSION:
            found = self._version()
            self._db.close()
            raise StoreError(
                f"path={self._path}: schema version {found}, not {SCHEMA_VERSION}; move the file away"
            )

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
        rows = self._rows("SELECT * FROM telemetry WHERE site = ? ORDER BY ts DESC LIMIT ?", site, n)
        return [_telemetry(row) for row in reversed(rows)]

    def telemetry(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Observations with ``start <= ts_utc < end``."""
        sql = "SELECT * FROM telemetry WHERE site = ? AND ts >= ? AND ts < ? ORDER BY ts"
        return [_telemetry(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def latest_forecast(self, site: str) -> Forecast | None:
        """The newest forecast, however old it is: check its ``issued_at`` before acting on it."""
        sql = "SELECT * FROM forecasts WHERE site = ? ORDER BY issued_at DESC, target_at LIMIT 1"
        return next((_forecast(row) for row in self._rows(sql, site)), None)

    def forecasts(self, site: str, start: datetime, end: datetime) -> list[Forecast]:
        """Forecasts with ``start <= issued_at < end``."""
        sql = "SELECT * FROM forecasts WHERE site = ? AND issued_at >= ? AND issued_at < ? ORDER BY issued_at"
        return [_forecast(row) for row in self._rows(sql, site, to_micros(start), to_micros(end))]

    def quotes(self, site: str, start: datetime, end: datetime) -> list[PriceQuote]:
        """Quotes of the intervals that begin in ``start <= ts_utc < end``."""
        sql = "SELECT * FROM quotes WHERE site = ? AND ts >= ? AND ts < ? ORDER BY ts"
        found = self._rows(sql, site, to_micros(start), to_micros(end))
        return [PriceQuote(row[0], from_micros(row[1]), *row[2:]) for row in found]

    def events(self, site: str, since: datetime) -> list[InstabilityEvent]:
        """Instability events that are open, or ended at or after ``since``."""
        sql = (
            "SELECT * FROM events WHERE site = ? AND (ended_at IS NULL OR ended_at >= ?) ORDER BY started_at"
        )
        return [_event(row) for row in self._rows(sql, site, to_micros(since))]

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
    ) -> None:
        """Write all of it, or nothing.

        Raises:
            StoreError: if the store was opened for reading only.
        """
        self._write(
            (
                "INSERT INTO telemetry VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                map(_telemetry_row, telemetry),
            ),
            (
                "INSERT INTO forecasts VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                map(_forecast_row, forecasts),
            ),
            ("INSERT OR REPLACE INTO events VALUES (?,?,?,?,?,?,?)", map(_event_row, events)),
        )

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        """Write price quotes; a newer quote of an interval replaces the older one.

        Raises:
            StoreError: if the store was opened for reading only.
        """
        self._write(("INSERT OR REPLACE INTO quotes VALUES (?,?,?,?,?)", map(_quote_row, quotes)))

    def _write(self, *statements: tuple[str, Iterable[Row]]) -> None:
        if self._read_only:
            raise StoreError(
                f"path={self._path}: opened for reading only; open it with read_only=False to write"
            )
        try:
            with self._lock, _Transaction(self._db):
                for sql, rows in statements:
                    self._db.executemany(sql, rows)
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


def _telemetry(row: Row) -> Telemetry:
    return Telemetry(row[0], from_micros(row[1]), *row[2:])


def _telemetry_row(pulse: Telemetry) -> Row:
    return (
        pulse.site,
        to_micros(pulse.ts_utc),
        pulse.load_kw,
        pulse.solar_kw,
        pulse.wind_kw,
        pulse.net_load_kw,
        pulse.price_usd_per_mwh,
        pulse.da_price_usd_per_mwh,
        pulse.frequency_hz,
    )


def _forecast(row: Row) -> Forecast:
    return Forecast(row[0], from_micros(row[1]), from_micros(row[2]), *row[3:])


def _forecast_row(forecast: Forecast) -> Row:
    issued_at, target_at = to_micros(forecast.issued_at), to_micros(forecast.target_at)
    band = (forecast.p10_kw, forecast.p50_kw, forecast.p90_kw)
    return (forecast.site, issued_at, target_at, forecast.net_load_kw, *band, forecast.model)


def _event(row: Row) -> InstabilityEvent:
    site, started_at, event_id, kind, ended_at, severity, cause_kw = row
    return InstabilityEvent(
        event_id=event_id,
        site=site,
        kind=kind,
        started_at=from_micros(started_at),
        ended_at=None if ended_at is None else from_micros(ended_at),
        severity=severity,
        cause_kw=cause_kw,
    )


def _event_row(event: InstabilityEvent) -> Row:
    started_at = to_micros(event.started_at)
    ended_at = None if event.ended_at is None else to_micros(event.ended_at)
    return (event.site, started_at, event.event_id, event.kind, ended_at, event.severity, event.cause_kw)


def _quote_row(quote: PriceQuote) -> Row:
    prices = (quote.price_usd_per_mwh, quote.da_price_usd_per_mwh)
    return (quote.site, to_micros(quote.ts_utc), quote.interval_s, *prices)
