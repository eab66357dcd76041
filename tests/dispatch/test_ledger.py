import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

import dispatch.ledger
from dispatch.errors import ForbiddenError, LedgerError, NoLedgerError
from dispatch.flags import get_flag, halt, halt_of, resume, set_flag
from dispatch.ledger import Ledger
from policies.principal import SCOPE_READ, Principal, local_principal, operator_principal
from smartgrid.errors import SettingsError
from smartgrid.settings import load_settings
from tests.services_postgres.server import NewUrl

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_ledger_survives_a_power_cut_by_its_settings(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger, ledger.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2


def test_a_ledger_that_stays_locked_is_named_with_what_to_look_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch.ledger, "BUSY_TIMEOUT_S", 0.01)
    ledger = Ledger(tmp_path)
    blocker = sqlite3.connect(ledger.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match=r"ledger\.db: cannot be written \(database is locked\)"):
        halt(ledger, local_principal("ana"), "smoke", NOW)
    blocker.execute("ROLLBACK")
    blocker.close()
    ledger.close()


def test_one_writer_at_a_time_and_the_next_one_sees_what_it_wrote(
    tmp_path: Path, new_url: NewUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch.ledger, "BUSY_TIMEOUT_S", 0.05)
    url = new_url()
    with Ledger(tmp_path, url) as ledger, Ledger(tmp_path, url) as other:
        with ledger.transaction() as transaction:
            set_flag(transaction.connection, "made", 1)
            with pytest.raises(LedgerError, match="nothing was recorded"), other.transaction():
                pytest.fail("two writers at once")
        with other.transaction() as transaction:
            assert get_flag(transaction.connection, "made") == 1


def test_a_reader_sees_one_moment_and_waits_for_nobody(tmp_path: Path, new_url: NewUrl) -> None:
    url = new_url()
    with Ledger(tmp_path, url) as ledger, Ledger(tmp_path, url) as other, ledger.reading() as connection:
        assert get_flag(connection, "made") is None
        with other.transaction() as transaction:
            set_flag(transaction.connection, "made", 1)
        assert get_flag(connection, "made") is None
        with other.reading() as fresh:
            assert get_flag(fresh, "made") == 1


def test_an_exception_undoes_what_a_transaction_wrote(tmp_path: Path, new_url: NewUrl) -> None:
    with Ledger(tmp_path, new_url()) as ledger:
        with pytest.raises(ZeroDivisionError), ledger.transaction() as transaction:
            set_flag(transaction.connection, "made", 1)
            raise ZeroDivisionError
        with ledger.reading() as connection:
            assert get_flag(connection, "made") is None


def test_a_ledger_that_must_be_there_is_not_made(tmp_path: Path, new_url: NewUrl) -> None:
    url = new_url()
    with pytest.raises(NoLedgerError, match="no plant has run here yet; start one: smartgrid up"):
        Ledger(tmp_path, url, create=False)
    Ledger(tmp_path, url).close()
    Ledger(tmp_path, url, create=False).close()


def test_a_mistyped_state_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        Ledger(tmp_path / "mistyped", create=False)
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("name", ["ledger_url", "ledger_ulr"])
def test_a_wrong_setting_of_the_ledger_is_named_and_its_value_is_not_shown(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings(state=tmp_path, **{name: ["postgresql://smartgrid:never-shown@db/ledger"]})
    assert "never-shown" not in str(caught.value)


def test_a_halt_is_seen_by_every_process_until_an_approver_resumes(tmp_path: Path, new_url: NewUrl) -> None:
    url = new_url()
    ledger, other = Ledger(tmp_path, url), Ledger(tmp_path, url)
    ana = local_principal("ana")
    halted = halt(ledger, ana, "smoke", NOW)
    with other.reading() as connection:
        assert halt_of(connection) == halted
    with pytest.raises(ForbiddenError, match="grid:approve"):
        resume(other, ana, "fine again", NOW)
    resume(other, operator_principal("ben"), "fine again", NOW)
    with ledger.reading() as connection:
        assert halt_of(connection) is None
    assert ledger.verify_audit().count == 2
    ledger.close()
    other.close()


def test_a_reader_may_not_halt(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(ForbiddenError, match="grid:dispatch"):
        halt(ledger, Principal("local:eve", frozenset({SCOPE_READ}), 30), "curious", NOW)
    ledger.close()
