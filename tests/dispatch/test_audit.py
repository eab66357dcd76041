import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch.audit import AuditReport
from dispatch.errors import LedgerError
from dispatch.ledger import Ledger

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = ("at", "kind", "actor", "payload", "previous_hash", "hash", "signature")


def filled(state_dir: Path, entries: int = 5) -> Ledger:
    ledger = Ledger(state_dir)
    for number in range(entries):
        with ledger.transaction() as transaction:
            transaction.audit(NOW, "tested", "test:actor", {"number": number})
    return ledger


def tampered(ledger: Ledger, sql: str, *values: object) -> AuditReport:
    with ledger.transaction() as transaction:
        transaction.connection.exec_driver_sql(sql, tuple(values))
    report = ledger.verify_audit()
    ledger.close()
    return report


def test_an_untouched_chain_verifies(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    assert ledger.verify_audit() == AuditReport(ok=True, count=5)
    ledger.close()


def test_an_empty_chain_verifies(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.verify_audit() == AuditReport(ok=True, count=0)
    ledger.close()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_change_of_any_field_of_any_entry_is_named(tmp_path: Path, field: str, seq: int) -> None:
    report = tampered(filled(tmp_path), f"UPDATE audit SET {field} = {field} || 'x' WHERE seq = ?", seq)  # noqa: S608
    assert (report.ok, report.broken_at) == (False, seq)
    assert str(seq) in report.problem


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FIELDS), st.integers(1, 5), st.text(max_size=80))
def test_no_other_text_in_any_field_passes(
    tmp_path_factory: pytest.TempPathFactory, field: str, seq: int, text: str
) -> None:
    ledger = filled(tmp_path_factory.mktemp("audit"))
    report = tampered(ledger, f"UPDATE audit SET {field} = ? WHERE seq = ?", f"{text}!", seq)  # noqa: S608
    assert (report.ok, report.broken_at) == (False, seq)


@pytest.mark.parametrize("seq", [1, 3])
def test_a_removed_entry_is_named(tmp_path: Path, seq: int) -> None:
    report = tampered(filled(tmp_path), "DELETE FROM audit WHERE seq = ?", seq)
    assert (report.ok, report.broken_at) == (False, seq)


@pytest.mark.parametrize("kept", [0, 2, 4])
def test_a_cut_end_shows_against_the_head_file(tmp_path: Path, kept: int) -> None:
    report = tampered(filled(tmp_path), "DELETE FROM audit WHERE seq > ?", kept)
    assert (report.ok, report.broken_at) == (False, kept + 1)
    assert "the end was cut" in report.problem


def test_an_entry_forged_without_the_key_is_named(tmp_path: Path) -> None:
    ledger, other = filled(tmp_path / "ours"), filled(tmp_path / "theirs", entries=6)
    with other.reading() as connection:
        forged = connection.exec_driver_sql("SELECT * FROM audit WHERE seq = 6").one()
    other.close()
    report = tampered(ledger, "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *forged)
    assert (report.ok, report.broken_at) == (False, 6)
    assert "not signed with the key" in report.problem


def test_a_crash_between_commit_and_head_file_leaves_a_chain_that_verifies(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    head = tmp_path / "audit.head"
    head.write_text("".join(head.read_text().splitlines(keepends=True)[:-1]))
    assert ledger.verify_audit().ok
    ledger.close()


@pytest.mark.parametrize("change", ["", "garbage\n", "9 ab cd\n", "1 é é\n", "truncated"])
def test_a_changed_head_file_is_reported(tmp_path: Path, change: str) -> None:
    ledger = filled(tmp_path)
    head = tmp_path / "audit.head"
    head.write_text(head.read_text()[:-10] if change == "truncated" else change)
    report = ledger.verify_audit()
    assert not report.ok
    assert "audit.head" in report.problem
    ledger.close()


@pytest.mark.parametrize("value", ["x'ff'", "CAST(x'ff' AS TEXT)", "7"])
def test_what_is_no_text_is_reported_and_not_a_crash(tmp_path: Path, value: str) -> None:
    for field in FIELDS:
        report = tampered(filled(tmp_path / field), f"UPDATE audit SET {field} = {value} WHERE seq = 2")  # noqa: S608
        assert not report.ok


def test_a_dropped_table_is_reported(tmp_path: Path) -> None:
    assert not tampered(filled(tmp_path), "DROP TABLE audit").ok


def test_a_missing_head_file_is_reported(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    (tmp_path / "audit.head").unlink()
    assert not ledger.verify_audit().ok
    ledger.close()


def test_another_key_verifies_nothing(tmp_path: Path) -> None:
    filled(tmp_path).close()
    (tmp_path / "audit.key").write_bytes(b"k" * 32)
    ledger = Ledger(tmp_path)
    assert not ledger.verify_audit().ok
    ledger.close()


def test_the_key_can_be_read_by_its_user_alone(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600


def test_a_cut_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_bytes(b"short")
    with pytest.raises(LedgerError, match=r"audit\.key: holds 5 bytes"):
        Ledger(tmp_path)


def test_an_undone_transaction_leaves_no_entry(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    with pytest.raises(RuntimeError), ledger.transaction() as transaction:
        transaction.audit(NOW, "tested", "test:actor", {})
        raise RuntimeError("undo")
    assert ledger.verify_audit() == AuditReport(ok=True, count=5)
    ledger.close()


def test_a_file_that_is_no_database_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db: cannot be opened"):
        Ledger(tmp_path)
