"""The gate: nobody passes without a session, and no page of another origin speaks to what is behind it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from operator_console.gate import COOKIE, LONGEST_FORM, SESSION, Gate
from operator_console.requests import Reach
from operator_console.sessions import FAILURES_ALLOWED, LoginLimit, Sessions
from tests.operator_console.test_sessions import IDLE_S, RIGHT, OneKey, Wall

HOME = "http://127.0.0.1:8765"
ORIGIN = {"origin": HOME}
HOSTILE = "<script>alert(1)</script>\"'&</td>"
PAGE = {"accept": "text/html"}


async def page(request: Request) -> Response:
    subject = request.scope[SESSION].operator.subject
    return HTMLResponse(f"<p>{subject}</p><script>1</script><script type='module'>2</script>")


async def data(_request: Request) -> Response:
    return JSONResponse({"secret": True})


async def live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("live")
    await socket.close()


class Site:
    """The gate before a small application, as a browser meets it."""

    def __init__(self, reach: Reach, base: str = HOME) -> None:
        self.wall = Wall()
        self.door = OneKey(self.wall)
        self.sessions = Sessions(self.door, IDLE_S, self.wall)
        inside = Starlette(
            routes=[
                Route("/", page),
                Route("/approvals/7", page),
                Route("/data", data),
                WebSocketRoute("/_nicegui_ws/socket.io/", live),
                Route("/_nicegui_ws/socket.io/", data),
            ]
        )
        gate = Gate(inside, self.sessions, LoginLimit(self.wall), reach)
        self.client = TestClient(
            Starlette(routes=[Mount("/console", gate)]), base_url=base, follow_redirects=False
        )

    def log_in(self, word: str = RIGHT, **more: str) -> Any:
        form = {"secret": word, "zone": "UTC", **more}
        return self.client.post("/console/login", data=form, headers=ORIGIN)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site(Reach())
    yield made
    made.client.close()


@pytest.mark.parametrize("path", ["/", "/approvals/7", "/data", "/_nicegui_ws/socket.io/", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_without_a_session_nothing_is_answered(site: Site, path: str, method: str) -> None:
    answer = site.client.request(method, f"/console{path}", headers=ORIGIN)
    assert answer.status_code == 401
    assert "secret" not in answer.text


def test_a_browser_without_a_session_is_led_to_the_log_in_and_back(site: Site) -> None:
    answer = site.client.get("/console/approvals/7", headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login?next=/approvals/7")
    answer = site.log_in(next="/approvals/7")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/approvals/7")
    answer = site.client.get("/console/approvals/7", headers=PAGE)
    assert answer.status_code == 200
    assert "operator:ana" in answer.text


@pytest.mark.parametrize(
    "away",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)",
        "/a//evil.example",
        "/%2f%2fevil.example", "approvals/../../mcp", "\r\nSet-Cookie: a=b", HOSTILE,
    ],
)  # fmt: skip
def test_the_log_in_leads_nowhere_else(site: Site, away: str) -> None:
    assert site.log_in(next=away).headers["location"] == "/console/"


def test_a_wrong_secret_opens_nothing(site: Site) -> None:
    answer = site.log_in("wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not valid" in answer.text
    assert site.client.get("/console/").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    cookie = site.log_in().headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    attributes = {part.strip() for part in cookie.split(";")}
    assert {"httponly", "samesite=strict", "path=/console"} <= attributes
    assert "secure" not in attributes


def test_behind_tls_the_cookie_never_travels_in_the_clear() -> None:
    site = Site(Reach("127.0.0.1", "https://grid.example.com"), "https://grid.example.com")
    answer = site.client.post(
        "/console/login", data={"secret": RIGHT}, headers={"origin": "https://grid.example.com"}
    )
    assert answer.status_code == 303
    assert "; secure" in answer.headers["set-cookie"].lower()
    site.client.close()


def test_a_cookie_that_is_made_up_opens_nothing(site: Site) -> None:
    site.client.cookies.set(COOKIE, "A" * 43)
    assert site.client.get("/console/data").status_code == 401


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1:9999", "https://127.0.0.1:8765", HOME + ".evil"],
)
def test_another_sites_page_can_neither_log_in_nor_listen(site: Site, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    refused = site.client.post("/console/login", data={"secret": RIGHT}, headers=headers)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    site.log_in()
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        site.client.websocket_connect("ws://127.0.0.1:8765/console/_nicegui_ws/socket.io/", headers=headers),
    ):
        pass
    assert caught.value.code == 1008


def test_the_live_connection_needs_a_session(site: Site) -> None:
    address = "ws://127.0.0.1:8765/console/_nicegui_ws/socket.io/"
    with pytest.raises(WebSocketDisconnect), site.client.websocket_connect(address, headers=ORIGIN):
        pass
    site.log_in()
    with site.client.websocket_connect(address, headers=ORIGIN) as socket:
        assert socket.receive_text() == "live"


def test_the_live_connection_is_a_websocket_alone(site: Site) -> None:
    site.log_in()
    assert site.client.get("/console/_nicegui_ws/socket.io/").status_code == 400


def test_a_session_that_ended_lets_nothing_pass(site: Site) -> None:
    site.log_in()
    assert site.client.get("/console/data").status_code == 200
    assert site.client.get("/console/session").status_code == 204
    site.wall.now_s += IDLE_S
    assert site.client.get("/console/data").status_code == 401
    assert site.client.get("/console/session").status_code == 401


def test_guessing_is_slowed_down_even_for_the_right_secret(site: Site) -> None:
    for _ in range(FAILURES_ALLOWED):
        assert site.log_in("wrong").status_code == 401
    answer = site.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    site.wall.now_s += 61.0
    assert site.log_in().status_code == 303


def test_an_endless_form_is_refused(site: Site) -> None:
    assert site.log_in("x" * LONGEST_FORM).status_code == 413


@pytest.mark.parametrize("path", ["/login", "/", "/data"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2",
        "localhost:8765@evil.example", "127.0.0.1:", "::1", "", HOSTILE,
    ],
)  # fmt: skip
def test_requests_to_another_name_are_refused(site: Site, path: str, host: str) -> None:
    site.log_in()
    answer = site.client.get(f"/console{path}", headers={"host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_request_with_two_hosts_is_refused(site: Site) -> None:
    headers = [("host", "localhost"), ("host", "evil.example")]
    assert site.client.get("/console/login", headers=headers).status_code == 421


@pytest.mark.parametrize(
    ("reach", "host", "known"),
    [
        (Reach(), "localhost:80", True), (Reach(), "[::1]:8765", True), (Reach(), "10.0.0.5", False),
        (Reach("10.0.0.5"), "10.0.0.5:8765", True), (Reach("10.0.0.5"), "10.0.0.50", False),
        (Reach("fd00::1"), "[fd00::1]:8765", True),
        (Reach("0.0.0.0", "https://grid.example"), "grid.example", True),  # noqa: S104
        (Reach("0.0.0.0", "https://grid.example"), "grid.example:444", False),  # noqa: S104
    ],
)  # fmt: skip
def test_the_server_answers_to_its_own_names_alone(reach: Reach, host: str, known: bool) -> None:
    site = Site(reach)
    status = site.client.get("/console/login", headers={"host": host}).status_code
    site.client.close()
    assert (status == 200) is known


def test_every_page_lets_its_own_scripts_run_and_reaches_nothing_but_this_server(site: Site) -> None:
    site.log_in()
    for path in ("/console/", "/console/login"):
        answer = site.client.get(path, headers=PAGE)
        if answer.status_code == 303:  # logged in: the log-in leads home
            site.client.cookies.clear()
            answer = site.client.get(path, headers=PAGE)
        rules = answer.headers["content-security-policy"]
        policy = dict(rule.strip().split(" ", 1) for rule in rules.split(";"))
        (nonce,) = set(re.findall(r'nonce="([^"]+)"', answer.text))
        assert answer.text.count(f'<script nonce="{nonce}"') == answer.text.count("<script") > 0
        assert policy["script-src"] == f"'self' 'nonce-{nonce}' 'unsafe-eval'"
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["connect-src"] == policy["form-action"] == "'self'"
        assert "http" not in rules
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_each_page_has_a_nonce_of_its_own(site: Site) -> None:
    first, second = (site.client.get("/console/login").headers["content-security-policy"] for _ in range(2))
    assert first != second


def test_the_log_in_page_loads_nothing(site: Site) -> None:
    html = site.client.get("/console/login").text
    assert re.findall(r"https?://", html) == []
    assert re.findall(r"\b(?:src|href)=\"([^\"]*)\"", html) == ["data:,"]
    assert "@import" not in html
    assert "url(" not in html
