"""The ledger: one SQLite database in the state directory, many writing processes.

A writer takes the write lock at once (``BEGIN IMMEDIATE``) and waits for it up to the busy timeout,
so a transaction never fails half-way for want of a lock; ``synchronous=FULL`` makes a commit survive
a power cut. What a transaction appends to the audit trail is committed with it.
"""

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from dispatch.audit import AuditReport, AuditTrail, Head
from dispatch.errors import LedgerError
from dispatch.schema import metadata

BUSY_TIMEOUT_S = 30.0


class Transaction:
    """One writing transaction: its connection, and the audit entries that belong to it."""

    def __init__(self, connection: Connection, trail: AuditTrail) -> None:
        self.connection = connection
        self._trail = trail
        self.head: Head | None = None

    def audit(self, at: datetime, kind: str, actor: str, payload: Mapping[str, object]) -> None:
        """Append an audit entry (see :meth:`dispatch.audit.AuditTrail.append`)."""
        self.head = self._trail.append(self.connection, at, kind, actor, payload)


class Ledger:
    """Opens the ledger in a state directory, creating it where there is none.

    Raises:
        LedgerError: when the database cannot be opened.
    """

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self.path = state_dir / "ledger.db"
        self._trail = AuditTrail(state_dir)
        self._engine = _engine(self.path)
        try:
            with self.transaction() as transaction:
                metadata.create_all(transaction.connection)
        except DatabaseError as error:
            self.close()
            raise LedgerError(f"{self.path}: cannot be opened ({error.orig}); restore a back-up") from error

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """A writing transaction: committed at the end, undone by an exception.

        Raises:
            LedgerError: when the database stays locked, the disk is full, or it cannot be written.
        """
        try:
            with self._engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection:
                with connection.begin():
                    transaction = Transaction(connection, self._trail)
                    yield transaction
                if transaction.head is not None:
                    self._trail.publish(transaction.head)
        except OperationalError as error:
            raise LedgerError(
                f"{self.path}: cannot be written ({error.orig}); nothing was recorded. Look for a process "
                "that holds it, a full disk or missing rights"
            ) from error

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A consistent view; writing through it is an error of the caller.

        Raises:
            LedgerError: when the database cannot be read.
        """
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise LedgerError(
                f"{self.path}: cannot be read ({error.orig}); look for missing rights or a damaged file, "
                "and restore a back-up"
            ) from error

    def verify_audit(self) -> AuditReport:
        """Compare audit chain, signatures and head file; an unreadable chain is broken too."""
        try:
            with self.reading() as connection:
                return self._trail.verify(connection)
        except LedgerError as error:
            return AuditReport(False, 0, None, str(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the begin event below says BEGIN, not the driver
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine
