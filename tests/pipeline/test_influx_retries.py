"""What the store does when InfluxDB is away, busy or unwilling: a small server plays its part."""

import gzip
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from grid.telemetry import Telemetry
from pipeline import influx_store
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.influx_points import forecast_line, telemetry_line
from pipeline.influx_store import InfluxStore
from pipeline.influx_target import READ_ATTEMPTS, InfluxTarget

START = datetime(2024, 5, 1, tzinfo=UTC)
PULSE = Telemetry("area", START, load_kw=1.5)
TOKEN = "-".join(["a", "very", "secret", "token"])
HANG_UP = 0


class Part:
    """A server that answers with the given status codes in turn, and the last one ever after."""

    def __init__(self, *statuses: int, answer: bytes = b"", promised_bytes: int | None = None) -> None:
        self.statuses, self.bodies = list(statuses), list[bytes]()
        self.answer = answer
        self.promised_bytes = len(answer) if promised_bytes is None else promised_bytes

    def next_status(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    @contextmanager
    def played(self, write_timeout_s: float = 60.0) -> Iterator[InfluxStore]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) as server:
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
            try:
                with InfluxStore(target(server.server_port, write_timeout_s)) as store:
                    yield store
            finally:
                server.shutdown()


def _handler(part: Part) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            part.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            status = part.next_status()
            if status != HANG_UP:
                self.send_response(status)
                self.send_header("Content-Length", str(part.promised_bytes))
                self.end_headers()
                self.wfile.write(part.answer)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
            pass

    return Handler


def target(port: int, write_timeout_s: float) -> InfluxTarget:
    return InfluxTarget(f"http://127.0.0.1:{port}", "org", "bucket", TOKEN, write_timeout_s)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_store, "FIRST_DELAY_S", 0.001)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_write_is_repeated_whole_until_the_server_takes_it() -> None:
    part = Part(503, 429, HANG_UP, 500, 204)
    with part.played() as store:
        store.write([PULSE])
    assert [gzip.decompress(body).decode() for body in part.bodies] == [telemetry_line(PULSE)] * 5


def test_a_write_ends_with_the_configured_time_and_names_server_and_fix() -> None:
    part = Part(503)
    with (
        part.played(write_timeout_s=0.05) as store,
        pytest.raises(StoreError, match="start InfluxDB") as told,
    ):
        store.write([PULSE])
    assert "influx_url=http://127.0.0.1:" in str(told.value)
    assert len(part.bodies) > 1


@pytest.mark.parametrize("call", [lambda store: store.write([PULSE]), lambda store: store.latest("area")])
def test_a_server_that_is_away_is_named(call: Callable[[InfluxStore], object]) -> None:
    with (
        InfluxStore(target(unused_port(), write_timeout_s=0.0)) as store,
        pytest.raises(StoreError, match=r"influx_url=.*start InfluxDB"),
    ):
        call(store)


@pytest.mark.parametrize(
    ("status", "fix"),
    [(401, "influx_token"), (404, "store init"), (422, "influx_retention_days"), (400, "influx_org")],
)
def test_a_refusal_is_not_repeated_and_its_fix_is_named(status: int, fix: str) -> None:
    part = Part(status)
    with part.played() as store, pytest.raises(StoreError, match=fix):
        store.write([PULSE])
    assert len(part.bodies) == 1


def test_a_read_is_tried_a_few_times() -> None:
    part = Part(503)
    with part.played() as store, pytest.raises(StoreError, match="reading telemetry"):
        store.sites()
    assert len(part.bodies) == READ_ATTEMPTS


HALF = b",result,table,_time\n,_result,0,2024-05-01T00:00:00Z\n"


@pytest.mark.parametrize(
    "part",
    [
        Part(200, answer=HALF + b"\n,error,reference\n,the query was killed,\n"),
        Part(200, answer=HALF + b"\nerror,reference\nthe query was killed,\n"),
        Part(200, answer=HALF, promised_bytes=1000),
    ],
    ids=["late error", "late error without a margin", "cut off"],
)
def test_half_an_answer_is_an_error_not_a_short_answer(part: Part) -> None:
    with part.played() as store, pytest.raises(StoreError, match=r"query was killed|IncompleteRead"):
        store.latest("area")


def test_nothing_is_sent_of_a_batch_with_a_value_that_cannot_be_stored() -> None:
    part = Part(204)
    with part.played() as store, pytest.raises(StoreError, match="solar_kw=inf"):
        store.write([PULSE, Telemetry("other", START, solar_kw=float("inf"))])
    assert part.bodies == []


def test_a_large_write_goes_in_batches_and_telemetry_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_store, "BATCH_LINES", 2)
    pulses = [Telemetry(f"site-{i}", START, load_kw=1.0) for i in range(4)]
    made = Forecast("site-0", START, START + timedelta(minutes=30), 1.0, -1.0, 0.0, 1.0, "model")
    part = Part(204)
    with part.played() as store:
        store.write(pulses, [made])
        store.write([])
    sent = [gzip.decompress(body).decode().split("\n") for body in part.bodies]
    assert [len(lines) for lines in sent] == [2, 2, 1]
    assert [line for lines in sent for line in lines] == [forecast_line(made), *map(telemetry_line, pulses)]


def test_the_token_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    where = target(unused_port(), write_timeout_s=0.01)
    with InfluxStore(where) as store, pytest.raises(StoreError) as told:
        store.write([PULSE])
    error: BaseException | None = told.value
    texts = [caplog.text, repr(where), repr(store)]
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    assert "Reason" in caplog.text
    assert not [text for text in texts if TOKEN in text]


@pytest.mark.parametrize("url", ["", "127.0.0.1:8086", "ftp://host", "http://", "http://me:secret@host:8086"])
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(StoreError, match="influx_url") as told:
        InfluxTarget(url, "org", "bucket", TOKEN)
    assert "secret" not in str(told.value)
