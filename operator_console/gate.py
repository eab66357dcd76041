"""The gate before the console: nobody passes without a session, and no page speaks to it but its own.

Invariants:
    Every request is addressed to a name of this server. All but the log-in needs a live session. A live
    connection (websocket) and a log-in come from a page of this server alone. What leaves carries headers
    that let the browser load and reach nothing but this server.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from operator_console.login_page import LoginPage
from operator_console.requests import Reach
from operator_console.sessions import LoginLimit, Session, Sessions

COOKIE: Final = "smartgrid_console"
SESSION: Final = "console_session"
"""Where a page finds its session in the request's scope."""
LONGEST_FORM: Final = 4_096
"""Bytes of a log-in."""

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # no-referrer would make the log-in's own Origin null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# The page's library compiles its templates in the browser, hence unsafe-eval; and it styles inline.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

logger = logging.getLogger(__name__)


class Gate:
    """An ASGI application around the console's own.

    Args:
        app: the pages behind it.
        sessions: who is logged in.
        limit: slows guessing down.
        reach: names of this server.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, limit: LoginLimit, reach: Reach) -> None:
        self._app = app
        self._sessions = sessions
        self._limit = limit
        self._reach = reach
        self._login = LoginPage()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass, answer, or refuse."""
        if scope["type"] == "websocket":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _hardened(send))

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._session(scope)
        if session is None or not self._reach.same_origin(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 1008, "reason": "log in first"})
            return
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, path = Request(scope, receive), _path(scope)
        if self._reach.named(request.headers) is None:
            name = ",".join(request.headers.getlist("host"))[:100]
            text = f"host: {name!a} is no name of this server; open it at its address, or set http_url\n"
            await PlainTextResponse(text, 421)(scope, receive, send)
            return
        session = self._session(scope)
        if path == "/login":
            await (await self._log_in(request, session))(scope, receive, send)
        elif path == "/session":
            await Response(status_code=401 if session is None else 204)(scope, receive, send)
        elif session is None:
            await _ask_to_log_in(request, path)(scope, receive, send)
        elif path.startswith(
            "/_nicegui_ws/"
        ):  # the connection is a websocket; polling would pass without an origin
            await PlainTextResponse("use a websocket\n", 400)(scope, receive, send)
        else:
            scope[SESSION] = session
            await self._app(scope, receive, send)

    def _session(self, scope: Scope) -> Session | None:
        return self._sessions.of(HTTPConnection(scope).cookies.get(COOKIE))

    async def _log_in(self, request: Request, session: Session | None) -> Response:
        home = _home(request)
        if request.method in ("GET", "HEAD"):
            return RedirectResponse(home, 303) if session is not None else self._login.show(home)
        if request.method != "POST":
            return PlainTextResponse("GET or POST\n", 405)
        if not self._reach.same_origin(request.headers):
            return PlainTextResponse("log in from the console's own page\n", 403)
        address = request.client.host if request.client else ""
        wait_s = self._limit.wait_s(address)
        if wait_s > 0:
            answer = self._login.show(home, f"Too many tries: wait {wait_s:.0f} s.", 429)
            answer.headers["Retry-After"] = f"{wait_s:.0f}"
            return answer
        return await self._try(request, home, address)

    async def _try(self, request: Request, home: str, address: str) -> Response:
        form = await _form(request)
        if form is None:
            return self._login.show(home, "That is no operator token.", 413)
        self._limit.failed(address)  # counted before it is looked at: tries at once count all
        cookie = await anyio.to_thread.run_sync(
            self._sessions.open, form.get("secret", "").strip(), form.get("zone", "")
        )
        if cookie is None:
            logger.warning("console: a log-in from %s failed", address)
            return self._login.show(home, "That token or link is not valid (any more).", 401)
        self._limit.passed(address)
        answer = RedirectResponse(home + _inner(form.get("next", "")), 303)
        secure = request.headers["origin"].lower().startswith("https:")
        answer.set_cookie(
            COOKIE, cookie, path=home.rstrip("/") or "/", secure=secure, httponly=True, samesite="strict"
        )
        return answer


def _path(scope: Scope) -> str:
    """The path below where the console is mounted."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", ""))) or "/"


def _home(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/"


def _inner(path: str) -> str:
    """A page of the console to go on to; anything that could lead elsewhere leads home."""
    plain = path.replace("/", "").replace("-", "").isalnum() and path.isascii()
    return path.lstrip("/") if plain and "//" not in path else ""


def _ask_to_log_in(request: Request, path: str) -> Response:
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        inner = _inner(path)
        return RedirectResponse(f"{_home(request)}login{f'?next=/{inner}' if inner else ''}", 303)
    return PlainTextResponse("log in first\n", 401)


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a small form; None for one that is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            return None
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _hardened(send: Send) -> Callable[[Message], Awaitable[None]]:
    """Put the security headers on every answer, and a nonce of its own on every page's scripts."""
    nonce = secrets.token_urlsafe(16)
    start: Message = {}
    page = bytearray()

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers.update(_HEADERS)
            headers["Content-Security-Policy"] = _POLICY.format(nonce=nonce)
            headers.setdefault("Cache-Control", "no-store")
            if headers.get("content-type", "").startswith("text/html"):
                start.update(message)
                return
        elif start and message["type"] == "http.response.body":
            page.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            body = bytes(page).replace(b"<script", b'<script nonce="' + nonce.encode() + b'"')
            MutableHeaders(raw=start["headers"])["Content-Length"] = str(len(body))
            await send(start)
            message = {"type": "http.response.body", "body": body}
        await send(message)

    return hardened
