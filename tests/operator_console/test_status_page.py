"""The page and its endpoint: self-contained, read-only, for this machine alone, never falsely live."""

import re
import sqlite3
import threading
from pathlib import Path

import pytest

import dispatch.ledger
from dispatch.flags import halt
from dispatch.plant_clock import LedgerClock
from operator_console import status_page
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from policies.principal import local_principal
from tests.dispatch.conftest import ANA
from tests.operator_console.conftest import Console

PATHS = ["/console", "/console/status.json"]
HOSTILE = "<script>alert(1)</script>\"'&</td>"


def page_of(console: Console) -> tuple[str, str]:
    """The page and its policy."""
    answer = console.client.get("/console")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text, answer.headers["content-security-policy"]


def script_of(html: str) -> str:
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    return str(script)


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(console: Console) -> None:
    html, policy = page_of(console)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', html))
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert len(re.findall(r"<script|<style", html)) == html.count(f'nonce="{nonce}"') == 2


def test_each_page_has_a_nonce_of_its_own(console: Console) -> None:
    assert page_of(console)[1] != page_of(console)[1]


def test_the_page_loads_nothing_from_anywhere(console: Console) -> None:
    html, _ = page_of(console)
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+[^\s\"']*", re.sub(r"(?m)(^|\s)// .*$", "", html)))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}  # names, not loaded
    assert re.findall(r"\b(?:src|href)=\"([^\"]*)\"", html) == ["data:,"]
    assert "url(" not in html
    assert "@import" not in html


def test_the_script_arrives_as_it_was_written(console: Console, repository: Path) -> None:
    written = (repository / "operator_console/templates/console.js").read_text("utf-8")
    assert script_of(page_of(console)[0]).strip() == written.strip()


def test_the_script_has_no_way_from_text_to_html(console: Console) -> None:
    script = script_of(page_of(console)[0])
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|DOMParser|srcdoc"
    assert re.findall(sinks, script) == []
    assert "replaceChildren" in script  # the pattern looks at the code that builds the page


def test_every_element_that_the_script_fills_is_on_the_page(console: Console) -> None:
    html, _ = page_of(console)
    wanted = set(re.findall(r"(?:byId|redraw)\(\"(\w+)\"", script_of(html)))
    assert {"values", "notice", "approvals", "chart"} <= wanted
    assert wanted <= set(re.findall(r' id="(\w+)"', html))


def test_every_field_that_the_script_reads_is_in_the_snapshot(console: Console) -> None:
    read = set(re.findall(r"\bseen\.(\w+)", script_of(page_of(console)[0]))) - {"stale", "age_s"}
    assert {"sites", "forecast", "halt", "approvals"} <= read
    assert read <= set(console.get())


def test_a_page_that_was_not_answered_yet_does_not_look_live(console: Console) -> None:
    html, _ = page_of(console)
    assert '<main id="values" class="dead">' in html
    assert '<span id="state" class="tag">connecting</span>' in html


def test_hostile_settings_are_escaped_on_the_page(console: Console) -> None:
    console.reads(tz=HOSTILE)
    html, _ = page_of(console)
    assert HOSTILE not in html
    assert "&lt;script&gt;alert(1)" in html


def test_hostile_text_in_the_ledger_travels_as_data_and_never_as_html(console: Console) -> None:
    plant = console.plant
    halt(plant.ledger, ANA, HOSTILE, plant.clock.now())
    asked = plant.service.propose(
        principal=local_principal(HOSTILE),
        tool="dispatch_peaker",
        arguments={},
        asset="peaker",
        power_kw=5_000.0,
        duration_s=3_600.0,
        reason=HOSTILE,
    )
    assert asked.status == "pending_approval"
    answer = console.client.get("/console/status.json")
    (shown,) = answer.json()["approvals"]
    assert (shown["reason"], shown["requester"]) == (HOSTILE, f"local:{HOSTILE}")
    assert answer.json()["halt"]["reason"] == HOSTILE
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert HOSTILE not in page_of(console)[0]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8765", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8765"]
)
def test_requests_to_this_machine_are_answered(console: Console, path: str, host: str) -> None:
    assert console.client.get(path, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2",
        "localhost:8765@evil.example", "evil.example#localhost", "127.0.0.1:", "::1", "", HOSTILE,
    ],
)  # fmt: skip
def test_requests_to_another_name_are_refused(console: Console, path: str, host: str) -> None:
    answer = console.client.get(path, headers={"host": host})
    assert answer.status_code == 421
    assert "is not this machine" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
def test_a_request_with_two_hosts_is_refused(console: Console, path: str) -> None:
    headers = [("host", "localhost"), ("host", "evil.example")]
    assert console.client.get(path, headers=headers).status_code == 421


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed_through_the_console(console: Console, path: str, method: str) -> None:
    assert console.client.request(method, path).status_code == 405


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_is_kept_or_shared(console: Console, path: str) -> None:
    headers = console.client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def reason_of(console: Console) -> str:
    """Why the status is not live; the page itself is served all the same."""
    answer = console.client.get("/console/status.json")
    assert answer.status_code == 503
    assert answer.headers["cache-control"] == "no-store"
    assert list(answer.json()) == ["reason"]
    page_of(console)
    return str(answer.json()["reason"])


def test_a_locked_ledger_is_not_live(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.ledger, "BUSY_TIMEOUT_S", 0.01)
    path = console.plant.ledger.path
    console.plant.ledger.close()
    ledger = dispatch.ledger.Ledger(path.parent)
    console.reads(ledger=ledger)
    ledger.close()  # its connections; the next read opens one
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("PRAGMA locking_mode=EXCLUSIVE")
    blocker.execute("BEGIN EXCLUSIVE")
    assert "ledger.db: cannot be read (database is locked)" in reason_of(console)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert console.get()["halt"] is None
    ledger.close()


def test_a_broken_ledger_is_not_live(console: Console) -> None:
    console.plant.ledger.close()
    for file in console.plant.state_dir.glob("ledger.db*"):
        file.write_bytes(b"not a database" * 100)
    assert "ledger.db: cannot be read (file is not a database)" in reason_of(console)


def test_a_ledger_without_its_tables_is_not_live(console: Console) -> None:
    with sqlite3.connect(console.plant.ledger.path) as db:
        db.execute("DROP TABLE asset_readings")
    db.close()
    assert "ledger.db: cannot be read (no such table: asset_readings)" in reason_of(console)


def test_a_broken_store_is_not_live(console: Console, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "telemetry.db") as db:
        db.execute("DROP TABLE forecasts")
    db.close()
    assert "telemetry.db: cannot be read (no such table: forecasts)" in reason_of(console)


def test_a_store_that_was_closed_is_not_live(console: Console) -> None:
    console.store.close()
    assert "telemetry.db: cannot be read" in reason_of(console)


def test_before_the_plants_first_tick_its_clock_is_missed_by_name(console: Console) -> None:
    console.reads(clock=LedgerClock(console.plant.ledger, lambda: 0.0))
    assert "no plant has run here yet" in reason_of(console)


class SilentStore(SqliteStore):
    """Answers no forecast until it is released."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, read_only=True)
        self.released = threading.Event()

    def forecasts(self, *_: object) -> list[Forecast]:
        self.released.wait()
        raise StoreError("released")


def test_a_store_that_says_why_it_fails_is_quoted(console: Console, tmp_path: Path) -> None:
    failing = SilentStore(tmp_path / "telemetry.db")
    failing.released.set()
    console.reads(reader=failing)
    assert reason_of(console) == "released"
    failing.close()


def test_a_store_that_does_not_answer_is_not_live(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "ANSWER_WITHIN_S", 0.05)
    silent = SilentStore(tmp_path / "telemetry.db")
    console.reads(reader=silent)
    reason = reason_of(console)
    silent.released.set()
    silent.close()
    assert "did not answer" in reason
