"""What is particular to a ledger on PostgreSQL: several machines, lost connections, and what errors say."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine, make_url, text

import dispatch.ledger
from dispatch.audit import AuditReport
from dispatch.errors import LedgerError
from dispatch.flags import get_flag, set_flag
from dispatch.ledger import Ledger
from smartgrid.ledger_access import make_ledger, open_ledger
from smartgrid.settings import Settings
from tests.services_postgres.server import server_url

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HIDDEN = "never-shown"


def append(ledger: Ledger, entries: int = 1) -> None:
    for number in range(entries):
        with ledger.transaction() as transaction:
            transaction.audit(NOW, "tested", "test:actor", {"number": number})


@pytest.fixture
def machine(tmp_path: Path, url: str) -> Callable[[str], Ledger]:
    """The ledger as a machine of that name opens it; all have the key of the first."""
    keys: list[Path] = []

    def start(name: str) -> Ledger:
        state = tmp_path / name
        state.mkdir(exist_ok=True)
        if keys and keys[0].parent != state:
            shutil.copy(keys[0], state / "audit.key")
        keys.append(state / "audit.key")
        return Ledger(state, url)

    return start


def test_machines_append_to_one_chain_and_each_finds_it_whole(machine: Callable[[str], Ledger]) -> None:
    with machine("one") as one, machine("two") as two:
        append(one, 3)
        append(two)
        append(one, 2)
        assert one.verify_audit() == two.verify_audit() == AuditReport(ok=True, count=7)
        with one.reading() as connection:
            kinds = connection.execute(text("SELECT kind FROM audit ORDER BY seq")).scalars().all()
    assert kinds == ["tested"] * 3 + ["audit_head_begun"] + ["tested"] * 3


def test_a_machine_that_wrote_nothing_says_what_it_cannot_see(machine: Callable[[str], Ledger]) -> None:
    with machine("one") as one, machine("two") as two:
        append(one, 3)
        report = two.verify_audit()
        assert (report.ok, report.count) == (True, 3)
        assert "cannot see whether the end was cut" in report.note
        assert not one.verify_audit().note


def test_a_cut_end_shows_on_every_machine_that_wrote_what_was_cut_or_after_it(
    machine: Callable[[str], Ledger],
) -> None:
    with machine("one") as one, machine("two") as two:
        append(one, 2)
        append(two)
        append(one, 2)
        with two.transaction() as transaction:
            transaction.connection.execute(text("DELETE FROM audit WHERE seq > 4"))
        assert "the end was cut" in one.verify_audit().problem
        assert two.verify_audit() == AuditReport(ok=True, count=4)
        with two.transaction() as transaction:
            transaction.connection.execute(text("DELETE FROM audit WHERE seq > 3"))
        assert "the end was cut" in two.verify_audit().problem


def test_a_machine_without_the_key_is_refused_before_it_writes(
    machine: Callable[[str], Ledger], tmp_path: Path, url: str
) -> None:
    with machine("one") as one:
        with pytest.raises(LedgerError, match=r"audit\.key: is not the key that signs 127\.0\.0\.1:"):
            Ledger(tmp_path / "stranger", url)
        append(one)
        assert one.verify_audit() == AuditReport(ok=True, count=1)


def test_the_ledger_in_the_state_keeps_its_own_head_file(
    machine: Callable[[str], Ledger], tmp_path: Path
) -> None:
    with Ledger(tmp_path / "one") as embedded:
        append(embedded, 9)
        with machine("one") as remote:
            append(remote)
            assert remote.verify_audit() == AuditReport(ok=True, count=1)
        assert embedded.verify_audit() == AuditReport(ok=True, count=9)


def test_two_ledgers_in_one_database_do_not_wait_for_each_other(
    tmp_path: Path, new_schema: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch.ledger, "BUSY_TIMEOUT_S", 0.05)
    with Ledger(tmp_path / "one", new_schema()) as one, Ledger(tmp_path / "two", new_schema()) as two:
        with one.transaction():
            append(two)
        assert one.verify_audit().count == 0


def test_whatever_the_server_is_set_to_a_commit_is_on_disk_and_a_writer_sees_what_others_wrote(
    tmp_path: Path, url: str
) -> None:
    loose = make_url(url)
    options = "-csynchronous_commit=off -cdefault_transaction_isolation=serializable"
    both = f"{loose.query['options']} {options}"
    loose = loose.update_query_dict({"options": both})
    with Ledger(tmp_path, loose.render_as_string(hide_password=False)) as ledger:
        with ledger.transaction() as transaction:
            assert transaction.connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
            isolation = transaction.connection.execute(text("SHOW transaction_isolation")).scalar_one()
            assert isolation == "read committed"
        with ledger.reading() as connection:
            isolation = connection.execute(text("SHOW transaction_isolation")).scalar_one()
            assert isolation == "repeatable read"


def test_nothing_is_written_through_a_reading_connection(tmp_path: Path, url: str) -> None:
    with Ledger(tmp_path, url) as ledger:
        with pytest.raises(LedgerError, match="read-only transaction"), ledger.reading() as connection:
            set_flag(connection, "made", 1)
        with ledger.transaction() as transaction:  # the same connection of the pool
            set_flag(transaction.connection, "made", 1)


@pytest.fixture
def named(url: str) -> URL:
    """The schema, by connections that bear its name."""
    plain = make_url(url)
    return plain.update_query_dict({"application_name": str(plain.query["options"])[-40:]})


def opened(state: Path, url: URL) -> Ledger:
    return Ledger(state, url.render_as_string(hide_password=False))


def cut_connections(url: URL) -> None:
    """End the connections of that name."""
    admin = create_engine(url.update_query_dict({"application_name": "admin"}), poolclass=NullPool)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
    with admin.connect() as connection:
        ended = connection.execute(text(cut), {"name": url.query["application_name"]}).scalars().all()
    assert all(ended)
    assert ended


def test_connections_that_were_cut_between_transactions_are_made_anew(tmp_path: Path, named: URL) -> None:
    with opened(tmp_path, named) as ledger:
        append(ledger)
        cut_connections(named)
        append(ledger)
        assert ledger.verify_audit() == AuditReport(ok=True, count=2)


def test_a_connection_that_is_cut_inside_a_transaction_records_nothing_and_says_so(
    tmp_path: Path, named: URL
) -> None:
    with opened(tmp_path, named) as ledger:
        lost = pytest.raises(LedgerError, match=r"nothing was recorded\. See that the server runs")
        with lost, ledger.transaction() as transaction:
            transaction.audit(NOW, "tested", "test:actor", {})
            cut_connections(named)
            set_flag(transaction.connection, "made", 1)
        assert ledger.verify_audit() == AuditReport(ok=True, count=0)


def test_a_connection_that_is_cut_at_the_commit_leaves_it_in_doubt_and_says_so(
    tmp_path: Path, named: URL
) -> None:
    with opened(tmp_path, named) as ledger:
        in_doubt = pytest.raises(LedgerError, match=r"it may stand there or not\..*same idempotency key")
        with in_doubt, ledger.transaction() as transaction:
            transaction.audit(NOW, "tested", "test:actor", {})
            cut_connections(named)
        append(ledger)
        assert ledger.verify_audit().ok


def test_a_process_that_stands_still_in_a_transaction_loses_the_lock(tmp_path: Path, url: str) -> None:
    with Ledger(tmp_path, url) as stalled, Ledger(tmp_path, url) as other:
        with pytest.raises(LedgerError, match="nothing was recorded"), stalled.transaction() as transaction:
            patience = transaction.connection.execute(text("SHOW idle_in_transaction_session_timeout"))
            assert patience.scalar_one() == "1min"
            set_flag(transaction.connection, "made", 1)
            transaction.connection.execute(text("SET idle_in_transaction_session_timeout = '10ms'"))
            append(other)  # gets the lock once the other one has lost it
            set_flag(transaction.connection, "made", 2)
        with other.reading() as connection:
            assert get_flag(connection, "made") is None
        assert other.verify_audit().count == 1


@pytest.mark.parametrize(
    "given",
    [
        "sqlite:///x.db",
        "mysql://u:{hidden}@h/d",
        "postgresql+psycopg2://u:{hidden}@h/d",
        "postgresql://u:{hidden}@h:port/d",
        "{hidden}",
        "",
        "postgresql://u:p@{hidden}@h/d",
        "postgresql://u:p@{hidden}/p@h/d",
        "postgresql://u:p@{hidden}?p@h/d",
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_it(tmp_path: Path, given: str) -> None:
    with pytest.raises(LedgerError, match=r"ledger_url: write it like postgresql\+psycopg://") as caught:
        Ledger(tmp_path, given.format(hidden=HIDDEN))
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("wrong", ["password", "user", "database", "port", "host", "option"])
def test_a_server_that_cannot_be_used_is_named_without_the_password(tmp_path: Path, wrong: str) -> None:
    url = server_url()
    changed = {
        "password": url.set(password=HIDDEN),
        "user": url.set(username="nobody", password=HIDDEN),
        "database": url.set(database="nowhere"),
        "port": url.set(port=1, password=HIDDEN),
        "host": url.set(host="256.0.0.1", password=HIDDEN),
        "option": url.set(query={"passwort": HIDDEN}),
    }[wrong]
    with pytest.raises(LedgerError, match=r"cannot be read \(.+\); see that the server runs") as caught:
        Ledger(tmp_path, changed.render_as_string(hide_password=False))
    assert f"{changed.host}:{changed.port}/{changed.database}" in str(caught.value)
    assert HIDDEN not in str(caught.value)
    assert str(url.password) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_settings_choose_the_database_and_no_text_shows_the_password(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTGRID_LEDGER_URL", f" {url}\n")
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path / "state"))
    settings = Settings()
    with make_ledger(settings) as made, open_ledger(settings) as opened:
        append(made)
        assert opened.verify_audit().count == 1
    assert not settings.ledger_db.exists()
    password = str(make_url(url).password)
    assert password not in repr(settings) + str(settings) + settings.model_dump_json() + made.name


def test_any_postgresql_url_is_taken(tmp_path: Path, url: str) -> None:
    for prefix in ("postgres://", "postgresql://"):
        with Ledger(tmp_path, prefix + url.partition("://")[2]) as ledger:
            append(ledger)
