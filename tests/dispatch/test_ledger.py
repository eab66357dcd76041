import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

import dispatch.ledger
from dispatch.errors import ForbiddenError, LedgerError
from dispatch.flags import halt, halt_of, resume
from dispatch.ledger import Ledger
from policies.principal import SCOPE_READ, Principal, local_principal, operator_principal

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_ledger_survives_a_power_cut_by_its_settings(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
    ledger.close()


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


def test_a_halt_is_seen_by_every_process_until_an_approver_resumes(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path), Ledger(tmp_path)
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
