"""Progress of a long call, told to callers who asked for it; the SDK knows who did."""

import asyncio
from collections import deque
from contextlib import suppress

import anyio
from mcp.server.session import ServerSession

BUFFERED = 64
"""Reports that wait for a slow client; beyond them the oldest is dropped, since later ones say more."""

Report = tuple[float, float | None, str | None]


class Reporter:
    """Takes the reports of one call, from any thread, and sends them before its answer.

    Args:
        session: of the request that is being served.
    """

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Report] = deque(maxlen=BUFFERED)
        self._used = False
        self._delivery: asyncio.Task[None] | None = None

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """A :data:`tools.contract.Progress`."""
        self._used = True
        with suppress(RuntimeError):  # a plugin's thread may outlive the server's loop
            self._loop.call_soon_threadsafe(self._take, (done, total, message or None))

    def _take(self, report: Report) -> None:
        self._waiting.append(report)
        if self._delivery is None or self._delivery.done():
            self._delivery = self._loop.create_task(self._deliver())

    async def _deliver(self) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the client left
            while self._waiting:
                await self._session.report_progress(*self._waiting.popleft())

    async def finish(self) -> None:
        """Wait until what was reported is sent."""
        if self._used:
            await asyncio.sleep(0)  # what was handed over last is taken first
        if self._delivery is not None:
            await self._delivery
