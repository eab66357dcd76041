"""The webhook: a real receiver hears of every request that waits, once it can; no plant waits for it."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from smartgrid.errors import SettingsError
from smartgrid.new_requests import NewRequests
from smartgrid.notify import DELAYS_S, ApprovalNotifier, checked_url
from smartgrid.settings import load_settings
from tests.dispatch.conftest import ANA, OPERATOR, Plant


class Receiver:
    """An HTTP server that answers as it is told, and remembers what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(json.loads(body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=hush"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path / "state")
    yield made
    made.ledger.close()


def ask(plant: Plant, minutes: float = 60.0) -> str:
    asked = plant.propose(5_000.0, asset="peaker", duration_s=60.0 * minutes, principal=ANA)
    assert asked.approval_id is not None
    return asked.approval_id


class NightError(Exception):
    """Ends a notifier's run."""


class Looks:
    """The notifier's sleep: waits until the receiver has heard so many, then lets the next thing happen."""

    def __init__(self, receiver: Receiver, *steps: Callable[[], object]) -> None:
        self._receiver = receiver
        self._steps = list(steps)
        self._heard = 1

    async def __call__(self, _: float) -> None:
        if len(self._receiver.got) < self._heard:
            await anyio.sleep(0.001)
            return
        if not self._steps:
            raise NightError
        self._steps.pop(0)()
        self._heard += 1


def deliver(url: str, plant: Plant, sleep: Any) -> bool:
    """Post the newest request; whether it arrived."""
    notifier = ApprovalNotifier(url, NewRequests(lambda: plant.approvals.list("PENDING")), sleep=sleep)

    async def post() -> bool:
        async with httpx.AsyncClient() as client:
            return await notifier.post(client, plant.approvals.list()[-1])

    return anyio.run(post)


class Slept:
    """Sleeps at once and remembers how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def test_a_receiver_hears_of_each_request_once_with_the_page_that_decides_it(
    plant: Plant, receiver: Receiver
) -> None:
    first = ask(plant)
    second: list[str] = []
    notifier = ApprovalNotifier(
        receiver.url,
        NewRequests(lambda: plant.approvals.list("PENDING")),
        lambda approval_id: f"https://grid.example/console/approvals/{approval_id}",
        Looks(receiver, lambda: second.append(ask(plant, 30.0))),
    )
    with pytest.raises(ExceptionGroup):
        anyio.run(notifier.run)
    assert {told["approval_id"] for told in receiver.got} == {first, *second}
    assert len(receiver.got) == 2
    told = next(told for told in receiver.got if told["approval_id"] == first)
    assert told["event"] == "approval_requested"
    assert told["console_url"] == f"https://grid.example/console/approvals/{first}"
    assert (told["asset"], told["power_kw"], told["requester"]) == ("peaker", 5_000.0, "local:ana")
    assert told["findings"][0]["quote"]
    assert told["expires_at"].endswith("+00:00")


def test_a_receiver_that_is_busy_is_tried_again_with_growing_delays(plant: Plant, receiver: Receiver) -> None:
    ask(plant)
    receiver.answers = [503, 429, 500, 200]
    slept = Slept()
    assert deliver(receiver.url, plant, slept)
    assert len(receiver.got) == 4
    assert slept.seconds == list(DELAYS_S[:3]) == sorted(slept.seconds)


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_receiver_that_refuses_is_not_tried_again(plant: Plant, receiver: Receiver, status: int) -> None:
    ask(plant)
    receiver.answers = [status]
    slept = Slept()
    assert not deliver(receiver.url, plant, slept)
    assert len(receiver.got) == 1
    assert slept.seconds == []


def test_a_receiver_that_is_gone_is_given_up_and_the_log_says_so_without_the_url(
    plant: Plant, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ask(plant)
    receiver.close()
    slept = Slept()
    with caplog.at_level(logging.WARNING):
        assert not deliver(receiver.url, plant, slept)
    assert slept.seconds == list(DELAYS_S)
    assert "approval 1 was not told" in caplog.text
    assert "hush" not in caplog.text


def test_after_a_restart_what_still_waits_is_told_again_and_what_was_decided_is_not(plant: Plant) -> None:
    first, second = ask(plant), ask(plant, 30.0)
    requests = NewRequests(lambda: plant.approvals.list("PENDING"))
    assert [asked.approval_id for asked in requests.take()] == [first, second]
    assert requests.take() == []
    plant.approvals.deny(first, OPERATOR, "no")
    again = NewRequests(lambda: plant.approvals.list("PENDING"))
    assert [asked.approval_id for asked in again.take()] == [second]


def test_a_ledger_that_cannot_be_read_ends_nothing(plant: Plant, receiver: Receiver) -> None:
    ask(plant)
    calls: list[int] = []

    def pending() -> Any:
        calls.append(1)
        if len(calls) == 1:
            plant.approvals.get("no number")
        return plant.approvals.list("PENDING")

    with pytest.raises(ExceptionGroup):
        anyio.run(ApprovalNotifier(receiver.url, NewRequests(pending), sleep=Looks(receiver)).run)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("url", ["ftp://x/hush", "hush", "http://", "//host/hush"])
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="approval_webhook") as caught:
        checked_url(url)
    assert "hush" not in str(caught.value)


def test_the_setting_is_never_shown(tmp_path: Path) -> None:
    settings = load_settings(state=tmp_path, approval_webhook="https://alerts.example/hush")
    assert "hush" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        load_settings(state=tmp_path, approval_webhook=["hush"])
    assert "hush" not in str(caught.value)
