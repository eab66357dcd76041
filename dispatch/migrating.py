"""Brings a ledger's tables to the revision that this program is written for.

A new ledger is made from the tables in :mod:`dispatch.schema` and marked with the newest revision. One
that is behind is taken through the steps in ``dispatch/migrations``, in one transaction; alembic, which
is slow to import, is asked only then.
"""

import threading
from importlib.metadata import version

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)

from dispatch.errors import LedgerError, NoLedgerError
from dispatch.schema import metadata

REVISION = "0001"
"""The newest step in ``dispatch/migrations/versions``."""
UNMARKED = "0001"
"""What ledgers without a mark are: those of the versions before there were steps."""
SCRIPTS = "dispatch:migrations"

_mark = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_alembic = threading.Lock()
"""Alembic keeps the step that runs in globals of the process."""


def revision_of(connection: Connection) -> str | None:
    """The revision that a ledger is marked with; None without a mark."""
    if not inspect(connection).has_table(_mark.name):
        return None
    return connection.execute(select(_mark.c.version_num)).scalar()


def bring_up_to_date(connection: Connection, name: str, *, create: bool) -> None:
    """Make or change the tables, inside the caller's writing transaction.

    Args:
        connection: of that transaction.
        name: what people call the ledger.
        create: whether a database without a ledger becomes a new one.

    Raises:
        NoLedgerError: if there is none, and ``create`` is not set.
        LedgerError: if the ledger is newer than this program.
    """
    revision = revision_of(connection)
    if revision is None and not inspect(connection).has_table("audit"):
        if not create:
            raise NoLedgerError(name)
        metadata.create_all(connection)
        _set_mark(connection, REVISION)
        return
    if revision is None:
        _set_mark(connection, UNMARKED)
    if (revision or UNMARKED) != REVISION:
        _migrate(connection, revision or UNMARKED, name)


def _set_mark(connection: Connection, revision: str) -> None:
    _mark.create(connection)
    connection.execute(insert(_mark).values(version_num=revision))


def _migrate(connection: Connection, revision: str, name: str) -> None:
    from alembic import command  # noqa: PLC0415  slow to import, and rarely wanted
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", SCRIPTS)
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        raise LedgerError(
            f"{name}: its tables are at revision {revision}; smartgrid-ai {version('smartgrid-ai')} knows "
            f"up to {REVISION}: a newer version made them. Install that version again, or restore a back-up "
            "from before it"
        )
    with _alembic:
        command.upgrade(config, "head")
