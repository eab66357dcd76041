"""The console as one ASGI application: the gate, the pages behind it, and the watch beside them.

NiceGUI keeps one application a process, so there is one console a process. Its import is slow; import
this module where a console is served, and only there.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
from fastapi import FastAPI, Request
from nicegui import Client, Event, app, ui
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from operator_console.audit_view import newest_lines
from operator_console.decisions import decisions
from operator_console.frame import Frame, Room
from operator_console.gate import SESSION, Gate
from operator_console.login_page import static_text
from operator_console.page_approvals import ApprovalsPage, OneApprovalPage
from operator_console.page_audit import AuditPage
from operator_console.page_decisions import DecisionsPage
from operator_console.page_now import NowPage
from operator_console.requests import Reach
from operator_console.sessions import Door, LoginLimit, Sessions
from operator_console.shared import SharedReading
from operator_console.source import ConsoleSource, OperatorDesk
from operator_console.watch import LOOK_S, View, Watch

PATH = "/console"
BUILT_WITHIN_S = 15.0
HISTORY = 50
"""Messages kept for a page whose connection breaks for a moment; each may hold a chart."""


class Console:
    """Pages for operators, served below ``/console``.

    Args:
        source: what they show.
        desk: what operators may do.
        door: knows operators.
        reach: names of this server.
        idle_s: a session that nobody touched for so long ends.
        look_s: between two looks at the plant, in s of wall time.
    """

    def __init__(
        self,
        source: ConsoleSource,
        desk: OperatorDesk,
        door: Door,
        reach: Reach,
        *,
        idle_s: float,
        look_s: float = LOOK_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        views = Event[View]()
        sessions = Sessions(door, idle_s, wall)
        watch = Watch(source, _watched, views.emit, look_s=look_s, clock_s=time.monotonic)
        self.watch = watch
        self._pages = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        shared = SharedReading(partial(decisions, source)), SharedReading(partial(newest_lines, source))
        _install(Room(source, desk, sessions, watch, views, *shared, f"{PATH}/"))
        app.config.socket_io_js_transports = ["websocket"]
        ui.run_with(
            self._pages,
            title="SmartGrid console",
            favicon=FAVICON,
            dark=None,
            language="en-GB",
            binding_refresh_interval=None,
            message_history_length=HISTORY,
            gzip_middleware_factory=None,  # the gate reads the pages; what leaves it is compressed
            tailwind=False,
            show_welcome_message=False,
        )
        gate = Gate(self._pages, sessions, LoginLimit(wall), reach)
        self.app: ASGIApp = GZipMiddleware(gate, minimum_size=1_000)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the pages and the watch; serve :attr:`app` inside."""
        async with self._pages.router.lifespan_context(self._pages), anyio.create_task_group() as tasks:
            tasks.start_soon(self.watch.run)
            yield
            tasks.cancel_scope.cancel()


def _watched() -> bool:
    return any(client.has_socket_connection for client in Client.instances.values())


def _install(room: Room) -> None:
    """Register the pages; each request builds its own."""
    ui.add_head_html(
        f"<style>{static_text('colours.css')}{static_text('console.css')}</style>"
        f"<script defer>{static_text('console.js')}</script>",
        shared=True,
    )

    def frame_of(request: Request, path: str) -> Frame:
        return Frame(room, request.scope[SESSION], path)

    @ui.page("/", response_timeout=BUILT_WITHIN_S)
    async def now(request: Request) -> None:
        frame = frame_of(request, "/")
        await frame.follow(NowPage(frame).show)

    @ui.page("/approvals", response_timeout=BUILT_WITHIN_S)
    async def approvals(request: Request) -> None:
        frame = frame_of(request, "/approvals")
        await frame.follow(ApprovalsPage(frame).show)

    @ui.page("/approvals/{approval_id}", response_timeout=BUILT_WITHIN_S)
    async def approval(request: Request, approval_id: str) -> None:
        frame = frame_of(request, f"/approvals/{approval_id}")
        await frame.follow(OneApprovalPage(frame, approval_id).show)

    @ui.page("/decisions", response_timeout=BUILT_WITHIN_S)
    async def decided(request: Request) -> None:
        frame = frame_of(request, "/decisions")
        await frame.follow(DecisionsPage(frame).show)

    @ui.page("/audit", response_timeout=BUILT_WITHIN_S)
    async def audited(request: Request) -> None:
        frame = frame_of(request, "/audit")
        await frame.follow(AuditPage(frame).show)


FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><defs><linearGradient id="g" x2="1" y2="1">'
    '<stop stop-color="#12a06a"/><stop offset="1" stop-color="#0a66b7"/></linearGradient></defs>'
    '<rect width="32" height="32" rx="8" fill="url(#g)"/>'
    '<path d="M18 4 8 18h7l-1 10 10-14h-7z" fill="#fff"/></svg>'
)
