"""The ledger's database: SQLite in the state directory, or a PostgreSQL server that several machines share.

A writing transaction waits for the one before it, on both: the audit chain has one end. SQLite takes
its write lock at once (``BEGIN IMMEDIATE``); PostgreSQL takes an advisory lock that ends with the
transaction, and at READ COMMITTED sees everything that was committed before it got the lock. A commit
that returned is on disk: ``synchronous=FULL`` here, ``synchronous_commit`` there. No message shows a
user's name or password.
"""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from dispatch.errors import LedgerError

STALLED_S = 60.0
"""After this long, PostgreSQL takes the lock from a process that stands still inside a transaction."""

POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}
URL_HELP = (
    "ledger_url: write it like postgresql+psycopg://USER@HOST:5432/DATABASE (a password's special characters "
    "as %XX, or the password in PGPASSWORD or a password file), or leave it unset for SQLite"
)
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('smartgrid ledger'), hashtext(current_schema()))"
_SESSION = (
    "SET lock_timeout = '{busy_s:g}s'; SET idle_in_transaction_session_timeout = '{stalled_s:g}s'; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
# A machine that vanished is noticed; a setting of libpq that a system does not know is ignored.
_CONNECT = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "fallback_application_name": "smartgrid",
}


@dataclass(frozen=True, slots=True)
class Database:
    """An open database and how to speak of it.

    Attributes:
        name: for people: the file, or server and database.
        engine: its connections; the option ``writing`` makes a transaction a writing one.
        shared: whether several machines may use it.
        write_help, read_help: what to look for when it cannot be used.
        reading: options of a connection that only reads, and sees one moment.
    """

    name: str
    engine: Engine
    shared: bool
    write_help: str
    read_help: str
    reading: Mapping[str, object] = field(default_factory=dict)

    @property
    def file_suffix(self) -> str:
        """Part of a file's name for what one machine keeps about this database; empty for SQLite."""
        return "-" + re.sub(r"[^A-Za-z0-9.-]", "_", self.name) if self.shared else ""


def open_sqlite(path: Path, busy_timeout_s: float) -> Database:
    """The database in a file, made where there is none; a writer waits that long for the others."""
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": busy_timeout_s})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the begin event below says BEGIN, not the driver
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing(connection) else "BEGIN")

    return Database(
        str(path),
        engine,
        shared=False,
        write_help="Look for a process that holds it, a full disk or missing rights",
        read_help="look for missing rights or a damaged file, and restore a back-up",
    )


def open_postgres(text: str, busy_timeout_s: float) -> Database:
    """The database that a URL names; nothing is connected yet. A writer waits that long for the others.

    Raises:
        LedgerError: if the URL cannot be used; the message does not repeat it.
    """
    url = _postgres_url(text)
    session = _SESSION.format(busy_s=busy_timeout_s, stalled_s=STALLED_S)
    engine = create_engine(url, connect_args=_CONNECT, pool_pre_ping=True, isolation_level="READ COMMITTED")

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(session)
        cursor.close()
        connection.autocommit = False

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if _writing(connection):
            connection.exec_driver_sql(_LOCK)

    return Database(
        f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}",
        engine,
        shared=True,
        write_help="See that the server runs, that ledger_url and the password are right, that the role may "
        "create and write tables, and that no process holds the lock; then do it again",
        read_help="see that the server runs, and that ledger_url and the password are right",
        reading={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    )


def reason(error: SQLAlchemyError) -> str:
    """What the database said, in one line."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(said).split())


def _writing(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writing"))


def _postgres_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # their messages may repeat parts of a password
        raise LedgerError(URL_HELP) from None
    # A second @ belongs to the password, and what follows it would be taken for the host, which is shown.
    if url.drivername not in POSTGRES or text.count("@") > 1:
        raise LedgerError(URL_HELP)
    return url.set(drivername="postgresql+psycopg")
