"""Fetching from a server of our own, with real PDFs."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from knowledge import manifest
from knowledge.digest import pdf_paths
from knowledge.fetching import FetchError, download, fetch, problem_of
from knowledge.manifest import PublicDocument
from smartgrid.cli.knowledge_fetch import fetch as fetch_command

PDF = next(path for path in pdf_paths() if "BAL-003-2" in path.name).read_bytes()
OTHER = next(path for path in pdf_paths() if "BAL-001-2" in path.name).read_bytes()


@dataclass
class Site:
    """What the server answers, one entry a request; the last one for all that follow."""

    bodies: list[bytes]
    statuses: list[int] = field(default_factory=lambda: [200])
    breaks_after: list[int | None] = field(default_factory=lambda: [None])
    ranges: bool = True
    retry_after: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    address: str = ""

    def nth(self, answers: list[Any]) -> Any:
        return answers[min(len(self.asked) - 1, len(answers) - 1)]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, wanted = self.site, self.headers.get("Range")
        site.asked.append((self.path, wanted))
        site.agents.append(self.headers.get("User-Agent", ""))
        status, body = site.nth(site.statuses), site.nth(site.bodies)
        if status == 200 and wanted and site.ranges:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status, body = (206, body[first:]) if first < len(body) else (416, b"")
        self.send_response(status)
        if site.retry_after is not None:
            self.send_header("Retry-After", site.retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: site.nth(site.breaks_after)])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def serving() -> Iterator[Any]:
    """Starts a server for a site."""
    servers: list[ThreadingHTTPServer] = []

    def start(site: Site) -> Site:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        site.address = f"http://127.0.0.1:{server.server_port}/bal-003-2.pdf"
        return site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def wanted(*addresses: str) -> PublicDocument:
    return PublicDocument("BAL-003-2", "Frequency Response", "NERC", addresses, ("BAL-003-2",), "droop")


def test_a_document_is_downloaded_verified_and_kept_under_its_name(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([PDF]))
    done = fetch(wanted(site.address), tmp_path / "new")
    assert (done.status, done.path) == ("fetched", tmp_path / "new" / "NERC_bal-003-2.pdf")
    assert done.path is not None
    assert done.path.read_bytes() == PDF
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["NERC_bal-003-2.pdf"]
    assert "smartgrid" in site.agents[0]


def test_a_good_copy_is_left_alone_without_asking_the_server(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([PDF]))
    (tmp_path / "NERC_bal-003-2.pdf").write_bytes(PDF)
    assert fetch(wanted(site.address), tmp_path).status == "there"
    assert site.asked == []


def test_a_damaged_copy_is_fetched_anew(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([PDF]))
    (tmp_path / "NERC_bal-003-2.pdf").write_bytes(PDF[:300])
    assert fetch(wanted(site.address), tmp_path).status == "fetched"
    assert (tmp_path / "NERC_bal-003-2.pdf").read_bytes() == PDF


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>Just a moment...</html>", "what was sent is no PDF"),
        (OTHER, "it is another document: BAL-003-2 does not stand on its first pages"),
        (PDF[:400], "the PDF is damaged or encrypted"),
        (b"", "what was sent is no PDF"),
    ],
)
def test_what_is_not_the_document_is_refused_and_nothing_stays(
    serving: Any, tmp_path: Path, body: bytes, problem: str
) -> None:
    site = serving(Site([body]))
    done = fetch(wanted(site.address), tmp_path)
    assert (done.status, done.path) == ("failed", None)
    assert f"{site.address}: {problem}" in done.reason
    assert f"save it as {tmp_path / 'NERC_bal-003-2.pdf'}" in done.reason
    assert list(tmp_path.iterdir()) == []


def test_the_next_address_is_tried_when_one_fails(serving: Any, tmp_path: Path) -> None:
    gone, good = serving(Site([b""], statuses=[404])), serving(Site([PDF]))
    assert fetch(wanted(gone.address, good.address), tmp_path).status == "fetched"
    assert (len(gone.asked), len(good.asked)) == (1, 1)


def test_a_broken_off_download_is_continued_where_it_stopped(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([PDF], breaks_after=[1000, None]))
    waits: list[float] = []
    assert fetch(wanted(site.address), tmp_path, pause=waits.append).status == "fetched"
    assert [wish for _, wish in site.asked] == [None, "bytes=1000-"]
    assert (tmp_path / "NERC_bal-003-2.pdf").read_bytes() == PDF
    assert waits == [1.0]


def test_a_part_of_an_earlier_run_is_continued(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([PDF]))
    (tmp_path / "NERC_bal-003-2.pdf.part").write_bytes(PDF[:700])
    assert fetch(wanted(site.address), tmp_path).status == "fetched"
    assert site.asked[0][1] == "bytes=700-"
    assert (tmp_path / "NERC_bal-003-2.pdf").read_bytes() == PDF


@pytest.mark.parametrize("left", [OTHER[:700], PDF, b"x" * (len(PDF) + 1)])
def test_a_part_that_does_not_fit_is_thrown_away(serving: Any, tmp_path: Path, left: bytes) -> None:
    site = serving(Site([PDF]))
    (tmp_path / "NERC_bal-003-2.pdf.part").write_bytes(left)
    assert fetch(wanted(site.address), tmp_path).status == "fetched"
    assert (tmp_path / "NERC_bal-003-2.pdf").read_bytes() == PDF


def test_a_server_that_cannot_continue_sends_it_all_again(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([PDF], ranges=False))
    (tmp_path / "NERC_bal-003-2.pdf.part").write_bytes(PDF[:700])
    assert fetch(wanted(site.address), tmp_path).status == "fetched"
    assert (tmp_path / "NERC_bal-003-2.pdf").read_bytes() == PDF


def test_a_busy_server_is_asked_again_after_the_time_that_it_names(serving: Any, tmp_path: Path) -> None:
    site = serving(Site([b"", PDF], statuses=[429, 200], retry_after="7"))
    waits: list[float] = []
    assert fetch(wanted(site.address), tmp_path, pause=waits.append).status == "fetched"
    assert waits == [7.0]


def test_no_server_makes_us_wait_longer_than_a_minute_or_ask_more_than_three_times(
    serving: Any, tmp_path: Path
) -> None:
    site = serving(Site([b""], statuses=[503], retry_after="86400"))
    waits: list[float] = []
    done = fetch(wanted(site.address), tmp_path, pause=waits.append)
    assert (done.status, waits, len(site.asked)) == ("failed", [60.0, 60.0], 3)
    assert "the server answers 503" in done.reason


def test_what_is_too_large_is_given_up(serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.fetching.LARGEST_BYTES", len(PDF) - 1)
    site = serving(Site([PDF]))
    done = fetch(wanted(site.address), tmp_path)
    assert (done.status, len(site.asked)) == ("failed", 1)
    assert "larger than" in done.reason


def test_without_internet_the_reason_says_so(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/bal-003-2.pdf"
    done = fetch(wanted(address), tmp_path, pause=lambda _: None)
    assert done.status == "failed"
    assert "cannot be downloaded" in done.reason
    assert "fetch on a machine with internet" in done.reason


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://nerc.com/a.pdf", "BAL-003-2"])
def test_nothing_but_http_is_followed(tmp_path: Path, address: str) -> None:
    with pytest.raises(FetchError, match=r"give an address that begins with https://"):
        download(address, tmp_path / "a.pdf")


def test_different_dashes_and_line_breaks_are_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(PDF)
    assert problem_of(path, ("frequency\n response", "BAL–003‑2")) is None


def test_the_command_fetches_tells_and_fails_with_the_name_of_what_failed(
    serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, gone = serving(Site([PDF])), serving(Site([b""], statuses=[404]))
    known = (wanted(site.address), PublicDocument("BAL-002-3", "x", "NERC", (gone.address,), ("x",), "y"))
    monkeypatch.setattr(manifest, "documents", lambda: known)
    app = typer.Typer()
    app.command()(fetch_command)
    one = CliRunner().invoke(app, ["--out", str(tmp_path), "--only", "bal-003-2"])
    assert one.exit_code == 0
    assert (tmp_path / "NERC_bal-003-2.pdf").exists()
    both = CliRunner().invoke(app, ["--out", str(tmp_path), "--json"])
    assert both.exit_code == 1
    assert '"status": "there"' in both.output
    assert "the server answers 404" in both.output


def test_the_manifest_is_shown_without_a_download(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(fetch_command)
    shown = CliRunner().invoke(
        app, ["--list", "--json", "--only", "FERC-841", "--out", str(tmp_path / "new")]
    )
    (row,) = json.loads(shown.output)
    assert row["id"] == "FERC-841"
    assert row["status"] == "FERC Order No. 841: in force since 2018-06-04"
    assert row["address"].startswith("https://www.govinfo.gov/")
    assert not (tmp_path / "new").exists()


def test_the_command_knows_no_other_document() -> None:
    app = typer.Typer()
    app.command()(fetch_command)
    refused = CliRunner().invoke(app, ["--only", "CIP-999-1"])
    assert refused.exit_code == 1
    assert "'CIP-999-1' is not in the manifest" in refused.output
