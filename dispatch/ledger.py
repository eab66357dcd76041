"""The ledger: one database that many processes write, with its audit chain.

It lies in the state directory (SQLite) or where a URL says (PostgreSQL): see :mod:`dispatch.database`. A
writer waits for the others before it begins, so a transaction never fails half-way for want of a lock.
What a transaction appends to the audit trail is committed with it.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from dispatch import migrating
from dispatch.audit import AuditReport, AuditTrail
from dispatch.audit_heads import Head, HeadFile
from dispatch.audit_key import AuditKey
from dispatch.database import open_postgres, open_sqlite, reason
from dispatch.errors import LedgerError, NoLedgerError

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for the others."""


class Transaction:
    """One writing transaction: its connection, and the audit entries that belong to it."""

    def __init__(self, connection: Connection, trail: AuditTrail) -> None:
        self.connection = connection
        self._trail = trail
        self.head: Head | None = None

    def audit(self, at: datetime, kind: str, actor: str, payload: Mapping[str, object]) -> None:
        """Append an audit entry (see :meth:`dispatch.audit.AuditTrail.append`)."""
        self.head = self._trail.append(self.connection, at, kind, actor, payload, after=self.head)


class Ledger:
    """Opens a ledger, creating it where there is none, and bringing its tables up to date.

    Args:
        state_dir: holds what one machine keeps: the key, the head file, and the database without a URL.
        url: of a PostgreSQL database; None for SQLite in ``state_dir``.
        key_file: holds the key that signs the audit chain; ``audit.key`` in ``state_dir`` when None.
        create: whether a ledger is made where there is none.

    Attributes:
        name: the database, for people; without user and password.
        path: the SQLite database; there is none where a URL is given.

    Raises:
        NoLedgerError: when there is none, and ``create`` is not set.
        LedgerError: when it cannot be opened, is newer than this program, or has another key.
    """

    def __init__(
        self, state_dir: Path, url: str | None = None, *, key_file: Path | None = None, create: bool = True
    ) -> None:
        self.path = state_dir / "ledger.db"
        if url is None and not create and not self.path.is_file():
            raise NoLedgerError(str(self.path))
        state_dir.mkdir(parents=True, exist_ok=True)
        self._key = AuditKey(state_dir, key_file)
        self._database = (
            open_sqlite(self.path, BUSY_TIMEOUT_S) if url is None else open_postgres(url, BUSY_TIMEOUT_S)
        )
        self.name = self._database.name
        heads = HeadFile(state_dir / f"audit{self._database.file_suffix}.head")
        self._trail = AuditTrail(self._key, heads, shared=self._database.shared)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._prepare(create)
            undo.pop_all()

    def _prepare(self, create: bool) -> None:
        with self.reading() as connection:
            if migrating.revision_of(connection) == migrating.REVISION and self._key.is_known(
                connection, self.name
            ):
                return
        with self.transaction() as transaction:
            migrating.bring_up_to_date(transaction.connection, self.name, create=create)
            self._key.make_known(transaction.connection, self.name)

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """A writing transaction: committed at the end, undone by an exception.

        Raises:
            LedgerError: when the database stays locked, is away, full, or cannot be written; the message
                says whether something may have been recorded.
        """
        committing = False
        try:
            with self._database.engine.connect().execution_options(writing=True) as connection:
                with connection.begin():
                    transaction = Transaction(connection, self._trail)
                    yield transaction
                    committing = True
                if transaction.head is not None:
                    self._trail.heads.append(transaction.head)
        except IntegrityError:  # a constraint: the caller's to foresee
            raise
        except (DatabaseError, NoConnectionError) as error:
            raise self._unwritable(error, in_doubt=committing and self._database.shared) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view; writing through it is an error of the caller.

        Raises:
            LedgerError: when the database cannot be read.
        """
        try:
            with (
                self._database.engine.connect().execution_options(**self._database.reading) as connection,
                connection.begin(),
            ):
                yield connection
        except (DatabaseError, NoConnectionError) as error:
            raise LedgerError(
                f"{self.name}: cannot be read ({reason(error)}); {self._database.read_help}"
            ) from error

    def _unwritable(self, error: SQLAlchemyError, *, in_doubt: bool) -> LedgerError:
        if in_doubt:
            return LedgerError(
                f"{self.name}: was lost while it recorded this ({reason(error)}): it may stand there or not. "
                "Look before doing it again, or repeat it with the same idempotency key, which acts once"
            )
        return LedgerError(
            f"{self.name}: cannot be written ({reason(error)}); nothing was recorded. "
            f"{self._database.write_help}"
        )

    def verify_audit(self) -> AuditReport:
        """Compare audit chain, signatures and head file; an unreadable chain is broken too."""
        try:
            with self.reading() as connection:
                return self._trail.verify(connection)
        except LedgerError as error:
            return AuditReport(False, 0, None, str(error))

    def newest_head(self) -> Head | None:
        """The end of the audit chain that this machine saw last; None where it saw none."""
        return self._trail.heads.newest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._database.engine.dispose()
