"""Tells a webhook of each request that begins to wait for a person.

It runs beside the plant, in a task of its own, and reads the ledger in a thread: however slow or dead
the receiver is, no tick waits for it. After a restart the requests that still wait are told again, so a
receiver may hear of one twice; their ``approval_id`` tells.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx

from dispatch.approvals import Approval
from dispatch.errors import DispatchError
from smartgrid.approval_document import approval_document
from smartgrid.errors import SettingsError
from smartgrid.new_requests import NewRequests

LOOK_S: Final = 1.0
ANSWER_WITHIN_S: Final = 10.0
DELAYS_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Between the tries: about two minutes in all, then it gives up on that request."""
TRY_AGAIN: Final = frozenset({408, 425, 429})

logger = logging.getLogger(__name__)


def checked_url(url: str) -> str:
    """The URL of a webhook.

    Raises:
        SettingsError: for one that is no http(s) address; it is not shown, it may hold a token.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("approval_webhook: use a URL such as https://alerts.example.com/hook")
    return url


class ApprovalNotifier:
    """Posts new requests to one URL.

    Args:
        url: of the receiver; only its host is ever logged.
        requests: knows which are new.
        console_url: address of the page where one is decided, by its id; None names none.
        sleep: waits between tries and between looks.
    """

    def __init__(
        self,
        url: str,
        requests: NewRequests,
        console_url: Callable[[str], str] | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._url = checked_url(url)
        self._host = urlsplit(url).hostname
        self._requests = requests
        self._console_url = console_url
        self._sleep = sleep

    async def run(self) -> None:
        """Look for new requests and post them, until cancelled."""
        async with (
            httpx.AsyncClient(timeout=ANSWER_WITHIN_S, follow_redirects=False) as client,
            anyio.create_task_group() as tasks,
        ):
            while True:
                for asked in await self._fresh():
                    tasks.start_soon(self.post, client, asked)
                await self._sleep(LOOK_S)

    async def _fresh(self) -> list[Approval]:
        try:
            return await anyio.to_thread.run_sync(self._requests.take, abandon_on_cancel=True)
        except DispatchError as error:
            logger.warning("webhook: the requests that wait cannot be read: %s", error)
            return []

    async def post(self, client: httpx.AsyncClient, asked: Approval) -> bool:
        """Post one request, again after a while where that may help; whether it arrived."""
        document = {"event": "approval_requested", **approval_document(asked)}
        if self._console_url is not None:
            document["console_url"] = self._console_url(asked.approval_id)
        for delay_s in (*DELAYS_S, None):
            problem, again = await self._try(client, document)
            if problem is None:
                return True
            if delay_s is None or not again:
                break
            await self._sleep(delay_s)
        logger.error("webhook at %s: approval %s was not told: %s", self._host, asked.approval_id, problem)
        return False

    async def _try(self, client: httpx.AsyncClient, document: dict[str, object]) -> tuple[str | None, bool]:
        """What went wrong, None when nothing; and whether trying again may help."""
        try:
            answer = await client.post(self._url, json=document)
        except httpx.TransportError as error:
            return type(error).__name__, True
        if answer.is_success:
            return None, False
        return f"it answered {answer.status_code}", answer.is_server_error or answer.status_code in TRY_AGAIN
