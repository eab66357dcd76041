import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dispatch.audit import AuditReport
from dispatch.errors import LedgerError
from dispatch.ledger import Ledger
from tests.services_postgres.server import NewUrl

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = ("at", "kind", "actor", "payload", "previous_hash", "hash", "signature")
ENTRIES = 5

Fill = Callable[..., Ledger]
Tamper = Callable[..., AuditReport]


def written(ledger: Ledger, entries: int = ENTRIES) -> Ledger:
    for number in range(entries):
        with ledger.transaction() as transaction:
            transaction.audit(NOW, "tested", "test:actor", {"number": number})
    return ledger


@pytest.fixture
def fill(tmp_path: Path, new_url: NewUrl) -> Iterator[Fill]:
    """Opens ledgers that nobody used before, with some entries; closes them."""
    opened: list[Ledger] = []

    def make(folder: str = "state", entries: int = ENTRIES) -> Ledger:
        opened.append(Ledger(tmp_path / folder, new_url()))
        return written(opened[-1], entries)

    yield make
    for ledger in opened:
        ledger.close()


def changed(ledger: Ledger, sql: str, **values: object) -> AuditReport:
    """What is reported once somebody with access to the database has done this."""
    with ledger.transaction() as transaction:
        transaction.connection.execute(text(sql), values)
    return ledger.verify_audit()


def test_an_untouched_chain_verifies(fill: Fill) -> None:
    assert fill().verify_audit() == AuditReport(ok=True, count=ENTRIES)


def test_an_empty_chain_verifies(fill: Fill) -> None:
    assert fill(entries=0).verify_audit() == AuditReport(ok=True, count=0)


def tampered(ledger: Ledger, field: str, seq: int, put: str, **values: object) -> AuditReport:
    """What is reported while one field of one entry holds something else; then it is as it was."""
    with ledger.reading() as connection:
        kept = connection.execute(text(f"SELECT {field} FROM audit WHERE seq = {seq}")).scalar_one()  # noqa: S608
    report = changed(ledger, f"UPDATE audit SET {field} = {put} WHERE seq = {seq}", **values)  # noqa: S608
    assert changed(ledger, f"UPDATE audit SET {field} = :kept WHERE seq = {seq}", kept=kept).ok  # noqa: S608
    return report


def test_a_change_of_any_field_of_any_entry_is_named(fill: Fill) -> None:
    ledger = fill()
    for seq in range(1, ENTRIES + 1):
        for field in FIELDS:
            last = f"substr({field}, length({field}))"
            put = f"substr({field}, 1, length({field}) - 1) || CASE {last} WHEN '0' THEN '1' ELSE '0' END"
            report = tampered(ledger, field, seq, put)
            assert (report.ok, report.broken_at) == (False, seq), field
            assert str(seq) in report.problem


def test_an_entry_with_another_number_is_missed(fill: Fill) -> None:
    ledger, move = fill(), "UPDATE audit SET seq = :to WHERE seq = :seq"
    for seq in range(1, ENTRIES + 1):
        for other in (-1, 0, ENTRIES + 1, ENTRIES + 7):
            report = changed(ledger, move, seq=seq, to=other)
            assert (report.ok, report.broken_at) == (False, 1 if other < 1 else seq)
            assert changed(ledger, move, seq=other, to=seq).ok


@pytest.mark.parametrize("pair", [(1, 2), (2, 4), (4, 5), (1, 5)])
def test_two_entries_that_change_places_are_named(fill: Fill, pair: tuple[int, int]) -> None:
    ledger, (first, second) = fill(), pair
    move = "UPDATE audit SET seq = :to WHERE seq = :seq"
    for seq, to in ((first, 99), (second, first), (99, second)):
        report = changed(ledger, move, seq=seq, to=to)
    assert (report.ok, report.broken_at) == (False, first)


@pytest.fixture
def filled(fill: Fill) -> Ledger:
    return fill()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FIELDS),
    st.integers(1, ENTRIES),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30),
)
def test_no_other_text_in_any_field_passes(filled: Ledger, field: str, seq: int, value: str) -> None:
    report = tampered(filled, field, seq, ":value", value=f"{value}!")
    assert (report.ok, report.broken_at) == (False, seq)


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
def test_a_removed_entry_is_named(fill: Fill, seq: int) -> None:
    report = changed(fill(), "DELETE FROM audit WHERE seq = :seq", seq=seq)
    assert (report.ok, report.broken_at) == (False, seq)


@pytest.mark.parametrize("kept", range(ENTRIES))
def test_a_cut_end_shows_against_the_head_file(fill: Fill, kept: int) -> None:
    report = changed(fill(), "DELETE FROM audit WHERE seq > :kept", kept=kept)
    assert (report.ok, report.broken_at) == (False, kept + 1)
    assert "the end was cut" in report.problem


def test_a_cut_end_that_was_written_anew_shows_against_the_head_file(fill: Fill) -> None:
    ledger = fill()
    changed(ledger, "DELETE FROM audit WHERE seq > 3")
    report = written(ledger, 4).verify_audit()
    assert (report.ok, report.broken_at) == (False, 4)
    assert "differs from the head file" in report.problem


def test_an_entry_forged_without_the_key_is_named(fill: Fill) -> None:
    ledger, other = fill("ours"), fill("theirs", ENTRIES + 1)
    with other.reading() as connection:
        forged = dict(connection.execute(text("SELECT * FROM audit WHERE seq = 6")).mappings().one())
    columns = ", ".join(forged)
    values = ", ".join(f":{name}" for name in forged)
    report = changed(ledger, f"INSERT INTO audit ({columns}) VALUES ({values})", **forged)  # noqa: S608
    assert (report.ok, report.broken_at) == (False, 6)
    assert "not signed with the key" in report.problem


def heads_of(ledger: Ledger) -> Path:
    (found,) = ledger.path.parent.glob("audit*.head")
    return found


def test_a_crash_between_commit_and_head_file_leaves_a_chain_that_verifies(fill: Fill) -> None:
    ledger = fill()
    head = heads_of(ledger)
    head.write_text("".join(head.read_text().splitlines(keepends=True)[:-1]))
    assert ledger.verify_audit().ok


@pytest.mark.parametrize("change", ["", "garbage\n", "9 ab cd\n", "1 é é\n", "truncated"])
def test_a_changed_head_file_is_reported(fill: Fill, change: str) -> None:
    ledger = fill()
    head = heads_of(ledger)
    head.write_text(head.read_text()[:-10] if change == "truncated" else change)
    report = ledger.verify_audit()
    assert not report.ok
    assert head.name in report.problem


@pytest.mark.parametrize("value", ["x'ff'", "CAST(x'ff' AS TEXT)", "7"])
def test_what_is_no_text_is_reported_and_not_a_crash(tmp_path: Path, value: str) -> None:
    with Ledger(tmp_path) as ledger:  # PostgreSQL keeps texts alone
        written(ledger)
        for field in FIELDS:
            assert not tampered(ledger, field, 2, value).ok


def test_a_dropped_table_is_reported(fill: Fill) -> None:
    assert not changed(fill(), "DROP TABLE audit").ok


def test_a_missing_head_file_is_reported_and_beginning_another_is_an_entry(fill: Fill) -> None:
    ledger = fill()
    heads_of(ledger).unlink()
    report = ledger.verify_audit()
    assert "audit" in report.problem + report.note
    assert report.ok == bool(report.note)
    written(ledger, 1)
    assert ledger.verify_audit() == AuditReport(ok=True, count=ENTRIES + 2)
    with ledger.reading() as connection:
        kind = connection.execute(text("SELECT kind FROM audit WHERE seq = 6")).scalar_one()
    assert kind == "audit_head_begun"


def test_on_one_machine_a_missing_head_file_breaks_the_audit(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        heads_of(written(ledger)).unlink()
        assert "audit.head is missing" in ledger.verify_audit().problem


def test_a_transaction_of_several_entries_is_one_chain(fill: Fill) -> None:
    ledger = fill(entries=0)
    with ledger.transaction() as transaction:
        for number in range(3):
            transaction.audit(NOW, "tested", "test:actor", {"number": number})
    assert written(ledger, 1).verify_audit() == AuditReport(ok=True, count=4)


def test_a_head_file_that_cannot_be_written_is_named_and_the_entry_stands(fill: Fill) -> None:
    ledger = fill()
    head = heads_of(ledger)
    kept = head.read_bytes()
    head.unlink()
    head.mkdir()
    with pytest.raises(LedgerError, match=r"cannot be written .* audit entry 6 is recorded"):
        written(ledger, 1)
    head.rmdir()
    head.write_bytes(kept)
    assert ledger.verify_audit() == AuditReport(ok=True, count=6)


def test_a_ledger_is_not_opened_with_another_key(tmp_path: Path, new_url: NewUrl) -> None:
    url = new_url()
    written(Ledger(tmp_path, url)).close()
    kept = (tmp_path / "audit.key").read_bytes()
    (tmp_path / "audit.key").write_bytes(b"k" * 32)
    with pytest.raises(LedgerError, match=r"audit\.key: is not the key that signs .*copy audit\.key"):
        Ledger(tmp_path, url)
    (tmp_path / "audit.key").write_bytes(kept)
    with Ledger(tmp_path, url) as ledger:
        assert ledger.verify_audit().ok


def test_another_key_verifies_nothing(fill: Fill) -> None:
    ledger = fill()
    ledger._key._key = b"k" * 32
    assert "entry 1 was not signed" in ledger.verify_audit().problem


def test_the_key_may_be_a_mounted_secret(tmp_path: Path, new_url: NewUrl) -> None:
    secret, url = tmp_path / "secret", new_url()
    secret.write_bytes(b"s" * 32)
    with Ledger(tmp_path / "state", url, key_file=secret) as ledger:
        assert written(ledger).verify_audit().ok
    assert not (tmp_path / "state" / "audit.key").exists()
    with pytest.raises(LedgerError, match=r"nowhere: cannot be read .*ledger_key_file"):
        Ledger(tmp_path / "state", url, key_file=tmp_path / "nowhere")


def test_the_key_can_be_read_by_its_user_alone(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600


def test_a_cut_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_bytes(b"short")
    with pytest.raises(LedgerError, match=r"audit\.key: holds 5 bytes"):
        Ledger(tmp_path)


def test_an_undone_transaction_leaves_no_entry(fill: Fill) -> None:
    ledger = fill()
    with pytest.raises(RuntimeError), ledger.transaction() as transaction:
        transaction.audit(NOW, "tested", "test:actor", {})
        raise RuntimeError("undo")
    assert ledger.verify_audit() == AuditReport(ok=True, count=ENTRIES)


def test_a_file_that_is_no_database_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db: cannot be read \(file is not a database\)"):
        Ledger(tmp_path)
