"""``smartgrid audit``: what people read of the chain, and what they hand to somebody who trusts nobody."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from dispatch.audit_log import entries
from dispatch.ledger import Ledger
from smartgrid.cli import app
from tests.services_postgres.server import NewUrl

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Run = Callable[..., Result]


@pytest.fixture
def ledger(tmp_path: Path, new_url: NewUrl, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Six entries of two kinds, a minute apart; the settings name it."""
    url = new_url()
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    if url is not None:
        monkeypatch.setenv("SMARTGRID_LEDGER_URL", url)
    made = Ledger(tmp_path / "state", url)
    for number in range(6):
        with made.transaction() as transaction:
            kind = "even" if number % 2 == 0 else "odd"
            at = NOW + timedelta(minutes=number)
            transaction.audit(at, kind, "local:[red]ana", {"number": number, "note": "a\nb [bold]"})
    made.close()
    return made


@pytest.fixture
def run(ledger: Ledger) -> Run:
    return lambda *words: CliRunner().invoke(app, ["audit", *map(str, words)])


def numbers(result: Result) -> list[int]:
    assert result.exit_code == 0, result.output
    return [entry["seq"] for entry in json.loads(result.stdout)]


def test_entries_are_shown_oldest_first_with_what_they_say(run: Run) -> None:
    shown = run("show")
    assert shown.exit_code == 0
    assert shown.stdout.index('"number":0') < shown.stdout.index('"number":5')
    assert "local:[red]ana" in shown.stdout
    assert "2026-03-01T00:05:00" in shown.stdout


def test_the_last_ones_from_a_moment_on_and_of_a_kind(run: Run) -> None:
    assert numbers(run("show", "--json")) == [1, 2, 3, 4, 5, 6]
    assert numbers(run("show", "--json", "--last", 2)) == [5, 6]
    assert numbers(run("show", "--json", "--kind", "odd")) == [2, 4, 6]
    assert numbers(run("show", "--json", "--since", "2026-03-01T00:03Z")) == [4, 5, 6]
    assert numbers(
        run("show", "--json", "--since", "2026-03-01T01:03+01:00", "--kind", "odd", "--last", 1)
    ) == [6]
    assert numbers(run("show", "--json", "--since", "2027-01-01")) == []


def test_json_holds_the_payload_and_the_hashes(run: Run) -> None:
    first, second = json.loads(run("show", "--json", "--last", 2).stdout)
    assert first["payload"] == {"number": 4, "note": "a\nb [bold]"}
    assert second["previous_hash"] == first["hash"]


def test_a_wrong_option_is_named_with_what_there_is(run: Run) -> None:
    assert "there are: even, odd" in run("show", "--kind", "evne").output
    assert run("show", "--kind", "evne").exit_code == 1
    assert "--since" in str(run("show", "--since", "noon").exception)
    assert run("show", "--last", 0).exit_code == 2


def test_verify_reports_entries_and_tampering(run: Run, ledger: Ledger) -> None:
    verified = run("verify")
    assert verified.exit_code == 0
    assert "6 entries; chain, signatures and head file agree" in verified.stdout
    with ledger.transaction() as transaction:
        transaction.connection.execute(text("UPDATE audit SET actor = 'local:eve' WHERE seq = 3"))
    ledger.close()
    broken = run("verify", "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["broken_at"] == 3


def test_what_was_tampered_with_can_still_be_shown(run: Run, ledger: Ledger) -> None:
    with ledger.transaction() as transaction:
        transaction.connection.execute(text("UPDATE audit SET at = 'noon', payload = 'none' WHERE seq = 3"))
    ledger.close()
    assert run("show").exit_code == 0
    shown = json.loads(run("show", "--json").stdout)[2]
    assert (shown["at"], shown["payload"]) == ("noon", "none")


@pytest.fixture
def outsider(repository: Path, tmp_path: Path) -> Callable[[Path], tuple[int, str]]:
    """Runs the program that docs/ledger.md gives to outsiders: its exit code and its answer."""
    page = (repository / "docs" / "ledger.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "verify_export.py").write_text(program)

    def verify(export: Path) -> tuple[int, str]:
        command = [sys.executable, "-I", str(tmp_path / "verify_export.py"), str(export)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return verify


Outsider = Callable[[Path], tuple[int, str]]


def test_an_outsider_verifies_an_export_with_the_program_of_the_docs(
    run: Run, outsider: Outsider, tmp_path: Path
) -> None:
    out = tmp_path / "audit.jsonl"
    exported = run("export", "--out", out)
    assert exported.exit_code == 0
    assert exported.stdout.startswith("6 entries")
    assert outsider(out) == (0, "6 entries, chain and head agree\n")
    again = run("export", "--out", out)
    assert again.exit_code == 1
    assert "File exists; choose another file" in again.output


@pytest.mark.parametrize("field", ["seq", "at", "kind", "actor", "payload", "previous_hash", "hash"])
def test_an_outsider_sees_any_change_in_any_entry(
    run: Run, outsider: Outsider, tmp_path: Path, field: str
) -> None:
    out = tmp_path / "audit.jsonl"
    run("export", "--out", out)
    lines = out.read_text().splitlines()
    entry = json.loads(lines[3])
    entry[field] = entry[field] + 1 if field == "seq" else entry[field][:-1] + "~"
    out.write_text("\n".join([*lines[:3], json.dumps(entry), *lines[4:]]))
    code, told = outsider(out)
    assert code == 1
    assert "entry 3" in told


@pytest.mark.parametrize("gone", [[3], [6], [4, 5, 6]])
def test_an_outsider_sees_what_is_missing(
    run: Run, outsider: Outsider, tmp_path: Path, gone: list[int]
) -> None:
    out = tmp_path / "audit.jsonl"
    run("export", "--out", out)
    lines = out.read_text().splitlines()
    out.write_text("\n".join(line for number, line in enumerate(lines) if number not in gone))
    code, told = outsider(out)
    assert code == 1
    assert "entry 3" in told if gone == [3] else "cut" in told


def test_an_end_that_was_cut_in_the_database_shows_in_its_export(
    run: Run, outsider: Outsider, tmp_path: Path, ledger: Ledger
) -> None:
    with ledger.transaction() as transaction:
        transaction.connection.execute(text("DELETE FROM audit WHERE seq > 4"))
    ledger.close()
    out = tmp_path / "audit.jsonl"
    assert run("export", "--out", out).exit_code == 0
    assert outsider(out)[0] == 1


def test_entries_are_read_as_they_stand(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        (only,) = entries(connection, last=1)
    assert only.content == {"number": 5, "note": "a\nb [bold]"}
    assert only.at == "2026-03-01T00:05:00.000000+00:00"
    ledger.close()
