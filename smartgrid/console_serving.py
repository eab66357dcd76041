"""Puts the console, and the webhook for approvals, beside what a web server serves already."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from dispatch.approvals import Approval, Approvals
from operator_console.console import PATH
from smartgrid.area import Workplace
from smartgrid.console import console_of
from smartgrid.console_link import address_file
from smartgrid.new_requests import NewRequests
from smartgrid.notify import ApprovalNotifier
from smartgrid.settings import Settings


def add_console(server: uvicorn.Server, workplace: Workplace, settings: Settings, base_url: str) -> None:
    """Serve the console at ``/console``, and tell the webhook of new requests, while the server runs.

    The console asks for a log-in of its own, so it stands before whatever asks for a bearer token.

    Args:
        server: not yet started; its application is a Starlette one.
        workplace: of the area.
        settings: who may enter, and the webhook.
        base_url: scheme and host under which browsers reach the server.
    """
    app = server.config.app
    if not isinstance(app, Starlette):
        raise TypeError(f"server.config.app is {type(app).__name__}; pages go beside a Starlette application")
    console, notifier = console_of(workplace, settings), notifier_of(workplace, settings, base_url)
    app.router.routes[:0] = [Route(PATH, _to_the_front), Mount(PATH, console.app)]
    inside = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: Starlette) -> AsyncIterator[object]:
        async with console.running(), _notifying(notifier), inside(served) as state:
            address_file(settings).write_text(f"{base_url}\n", encoding="utf-8")
            yield state
            address_file(settings).unlink(missing_ok=True)

    app.router.lifespan_context = lifespan  # type: ignore[assignment]  # the state is whatever is inside


def notifier_of(workplace: Workplace, settings: Settings, base_url: str) -> ApprovalNotifier | None:
    """What tells the webhook; None where none is set.

    Raises:
        SettingsError: when its address cannot be one.
    """
    if settings.approval_webhook is None:
        return None
    desk = Approvals(workplace.ledger, workplace.clock, require_two_people=True)
    return ApprovalNotifier(
        settings.approval_webhook.get_secret_value(),
        NewRequests(partial(_pending, desk)),
        lambda approval_id: f"{base_url}{PATH}/approvals/{approval_id}",
    )


def _pending(desk: Approvals) -> list[Approval]:
    return desk.list("PENDING")


async def _to_the_front(_request: Request) -> Response:
    return RedirectResponse(f"{PATH}/", 307)


@asynccontextmanager
async def _notifying(notifier: ApprovalNotifier | None) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        if notifier is not None:
            tasks.start_soon(notifier.run)
        yield
        tasks.cancel_scope.cancel()
