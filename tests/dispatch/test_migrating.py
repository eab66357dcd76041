"""The ledger's tables: made, taken over, brought up to date, and left alone when they are newer."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from dispatch import migrating
from dispatch.errors import LedgerError
from dispatch.flags import get_flag, set_flag
from dispatch.ledger import Ledger
from dispatch.schema import metadata
from tests.services_postgres.server import NewUrl

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NEXT_STEP = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("leases", sa.Column("machine", sa.String(40)))
"""


@pytest.fixture
def url(new_url: NewUrl) -> str | None:
    return new_url()


@pytest.fixture
def engine(tmp_path: Path, url: str | None) -> Iterator[Engine]:
    """Another way into the database that ``Ledger(tmp_path, url)`` opens."""
    made = create_engine(url or f"sqlite:///{tmp_path / 'ledger.db'}")
    yield made
    made.dispose()


def scripts(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", migrating.SCRIPTS)
    return config


def marked(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def test_the_newest_step_is_the_revision_that_the_program_is_written_for() -> None:
    assert ScriptDirectory.from_config(scripts()).get_heads() == [migrating.REVISION]


def test_a_new_ledger_is_made_at_the_newest_revision(tmp_path: Path, url: str | None) -> None:
    with Ledger(tmp_path, url) as ledger, ledger.reading() as connection:
        assert marked(connection) == [migrating.REVISION]
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_steps_make_the_tables_that_the_program_describes(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(scripts(connection), "head")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert marked(connection) == [migrating.REVISION]


def test_on_sqlite_the_steps_make_them_to_the_letter(tmp_path: Path) -> None:
    made = [create_engine(f"sqlite:///{tmp_path / name}") for name in ("steps", "tables")]
    with made[0].begin() as connection:
        command.upgrade(scripts(connection), "head")
    metadata.create_all(made[1])
    listing = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' ORDER BY name"
    letters: list[list[tuple[str, set[str]]]] = []
    for engine in made:
        with engine.connect() as connection:
            rows = connection.execute(text(listing)).all()
        letters.append(
            [(name, {part.strip(" \t,") for part in (sql or "").split("\n")}) for name, sql in rows]
        )
        engine.dispose()
    assert letters[0] == letters[1]


def test_a_difference_between_steps_and_tables_is_seen(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(scripts(connection), "head")
        connection.execute(text("DROP INDEX dispatches_at"))
        connection.execute(text("ALTER TABLE leases DROP COLUMN owner"))
        changes = compare_metadata(MigrationContext.configure(connection), metadata)
    assert sorted(change[0] for change in changes) == ["add_column", "add_index"]


def made_before_there_were_steps(tmp_path: Path, url: str | None, engine: Engine) -> None:
    """A ledger as the versions without steps made it, with something in it."""
    with Ledger(tmp_path, url) as ledger, ledger.transaction() as transaction:
        set_flag(transaction.connection, "kept", 1)
        transaction.audit(NOW, "tested", "test:actor", {})
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("DELETE FROM flags WHERE name = 'audit_key'"))


def test_a_ledger_from_before_there_were_steps_is_taken_over(
    tmp_path: Path, url: str | None, engine: Engine
) -> None:
    made_before_there_were_steps(tmp_path, url, engine)
    with Ledger(tmp_path, url, create=False) as ledger, ledger.reading() as connection:
        assert marked(connection) == [migrating.REVISION]
        assert get_flag(connection, "kept") == 1
        assert ledger.verify_audit().count == 1


@pytest.fixture
def next_version(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """This program as it will be once its tables have changed."""
    folder = tmp_path_factory.mktemp("next") / "migrations"
    shutil.copytree(Path(migrating.__file__).parent / "migrations", folder)
    (folder / "versions" / "r0002_next.py").write_text(NEXT_STEP)
    monkeypatch.setattr(migrating, "SCRIPTS", str(folder))
    monkeypatch.setattr(migrating, "REVISION", "0002")


@pytest.mark.parametrize("marks", [True, False])
def test_a_newer_program_brings_the_tables_up_to_date_and_keeps_what_is_in_them(
    tmp_path: Path, url: str | None, engine: Engine, marks: bool, request: pytest.FixtureRequest
) -> None:
    made_before_there_were_steps(tmp_path, url, engine)
    if marks:
        Ledger(tmp_path, url).close()
    request.getfixturevalue("next_version")
    for _ in range(2):
        with Ledger(tmp_path, url) as ledger, ledger.reading() as connection:
            assert marked(connection) == ["0002"]
            assert "machine" in [column["name"] for column in inspect(connection).get_columns("leases")]
            assert get_flag(connection, "kept") == 1
            assert ledger.verify_audit().ok


def test_a_step_that_fails_leaves_the_ledger_as_it_was(
    tmp_path: Path, url: str | None, next_version: None
) -> None:
    step = Path(migrating.SCRIPTS) / "versions" / "r0002_next.py"
    with pytest.MonkeyPatch.context() as before:
        before.setattr(migrating, "REVISION", "0001")
        Ledger(tmp_path, url).close()
    step.write_text(NEXT_STEP + '    op.add_column("nowhere", sa.Column("x", sa.String(40)))\n')
    with pytest.raises(LedgerError, match=r"cannot be written .*nowhere"):
        Ledger(tmp_path, url)
    step.write_text(NEXT_STEP)
    Ledger(tmp_path, url).close()


def test_a_ledger_that_is_newer_than_the_program_is_refused_and_left_alone(
    tmp_path: Path, url: str | None, engine: Engine
) -> None:
    Ledger(tmp_path, url).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(
        LedgerError, match=r"at revision 0999; .* newer version made them\. Install that version"
    ):
        Ledger(tmp_path, url)
    with engine.connect() as connection:
        assert marked(connection) == ["0999"]


def test_a_ledger_that_is_up_to_date_is_opened_without_alembic_or_a_driver_that_it_does_not_need(
    tmp_path: Path,
) -> None:
    program = (
        "import sys; from pathlib import Path; from dispatch.ledger import Ledger; "
        f"Ledger(Path({str(tmp_path)!r})).close(); "
        "sys.exit(bool({'alembic', 'psycopg'} & set(sys.modules)))"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
