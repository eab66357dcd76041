"""The status page: one self-contained HTML page, and the JSON that it polls. It only shows.

The page holds no values: its script builds every element from text, and the Content-Security-Policy
forbids any other script, any HTML from text (trusted types) and any request but to this server. Only
requests addressed to this machine are answered, so a foreign name that resolves to it (DNS rebinding)
gets nothing.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

import anyio
import anyio.to_thread
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from operator_console.errors import SourceError
from operator_console.snapshot import ConsoleSource, snapshot

PAGE_PATH: Final = "/console"
STATUS_PATH: Final = "/console/status.json"
POLL_S: Final = 2.0
ANSWER_WITHIN_S = 5.0
"""A locked ledger may wait far longer; until then the page would look live."""

_THIS_MACHINE: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

Endpoint = Callable[[Request], Awaitable[Response]]


def console_routes(source: ConsoleSource) -> list[Route]:
    """The page at ``/console`` and its values at ``/console/status.json``; GET alone."""
    templates = Environment(
        loader=PackageLoader("operator_console"), autoescape=True, undefined=StrictUndefined
    )
    page = templates.get_template("console.html.j2")

    @_this_machine_only
    async def show_page(_request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        html = page.render(nonce=nonce, status_path=STATUS_PATH, poll_s=POLL_S, tz=source.tz)
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY.format(nonce=nonce)})

    @_this_machine_only
    async def show_status(_request: Request) -> Response:
        try:
            with anyio.fail_after(ANSWER_WITHIN_S):
                seen = await anyio.to_thread.run_sync(snapshot, source, abandon_on_cancel=True)
        except SourceError as error:
            return _not_live(str(error))
        except TimeoutError:
            return _not_live(
                f"ledger and series store did not answer within {ANSWER_WITHIN_S:.0f} s; "
                "look for a process that holds one of them"
            )
        return JSONResponse(seen)

    return [
        Route(PAGE_PATH, show_page, methods=["GET"], name="console"),
        Route(STATUS_PATH, show_status, methods=["GET"], name="console_status"),
    ]


def _not_live(reason: str) -> Response:
    return JSONResponse({"reason": reason}, status_code=503)


def _this_machine_only(endpoint: Endpoint) -> Endpoint:
    """Refuse requests that were addressed to another name than this machine's; harden every answer."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        named = request.headers.getlist("host")
        if len(named) == 1 and _THIS_MACHINE.fullmatch(named[0]):
            response = await endpoint(request)
        else:
            text = f"host: {','.join(named)[:100]!a} is not this machine; open the page at 127.0.0.1\n"
            response = PlainTextResponse(text, status_code=421)
        response.headers.update(_HEADERS)
        return response

    return guarded
