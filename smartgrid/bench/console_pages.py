"""Open pages of the console as a browser opens them: log-in, page, live connection; what comes is counted."""

import re
import uuid
from urllib.parse import urlencode

import httpx
import socketio  # type: ignore[import-untyped]

from operator_console.console import PATH
from operator_console.gate import COOKIE

ACK_EVERY = 20
"""Messages between two receipts; a browser sends one every few seconds."""


class OpenPage:
    """One page.

    Args:
        base: scheme and host of the server.
        path: of the page, below the console.
    """

    def __init__(self, base: str, path: str) -> None:
        self._base, self._path = base, path
        self._live = socketio.AsyncClient(reconnection=False)
        self._client_id = ""
        self.messages = 0
        self.bytes = 0

    async def open(self, cookie: str) -> None:
        """Load the page and go live."""
        headers = {"cookie": f"{COOKIE}={cookie}", "accept": "text/html"}
        async with httpx.AsyncClient(base_url=self._base, headers=headers, timeout=60.0) as browser:
            answer = await browser.get(f"{PATH}/{self._path}")
        answer.raise_for_status()
        self._client_id = _found(r'"client_id": ?"([^"]+)"|\'client_id\': ?\'([^\']+)\'', answer.text)
        query = {
            "client_id": self._client_id,
            "next_message_id": _found(r"next_message_id['\"]: ?(\d+)", answer.text),
            "implicit_handshake": "true",
            "tab_id": str(uuid.uuid4()),
            "document_id": str(uuid.uuid4()),
        }
        self._live.on("*", self._take)
        await self._live.connect(
            f"{self._base}?{urlencode(query)}",
            headers={"Cookie": headers["cookie"], "Origin": self._base},
            transports=["websocket"],
            socketio_path=f"{PATH}/_nicegui_ws/socket.io",
            wait_timeout=30,
        )

    async def close(self) -> None:
        """Leave the page."""
        await self._live.disconnect()

    async def _take(self, _event: str, data: object = None) -> None:
        self.messages += 1
        self.bytes += len(str(data))
        if self.messages % ACK_EVERY == 0 and isinstance(data, dict) and "_id" in data:
            receipt = {"client_id": self._client_id, "next_message_id": int(data["_id"]) + 1}
            await self._live.emit("ack", receipt)


async def log_in(base: str, secret: str) -> str:
    """The cookie of a new session."""
    async with httpx.AsyncClient(base_url=base, headers={"origin": base}, timeout=60.0) as browser:
        form = {"secret": secret, "zone": "Europe/Luxembourg", "next": ""}
        answer = await browser.post(f"{PATH}/login", data=form)
    return str(answer.cookies[COOKIE])


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"the page has no {pattern}; does the page's library still name it so?")
    return next(group for group in match.groups() if group is not None)
