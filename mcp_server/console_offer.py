"""The console's page of a request that waits, offered to clients that can open a URL.

Whatever the client answers, the call's result stays the same: its user agreed to open a page, no more, and
some clients answer by themselves. A person decides on that page, logged in with a credential of their own.
"""

import logging
from collections import deque
from collections.abc import Callable

import anyio
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ElicitRequest, ElicitRequestURLParams, InputRequiredResult
from pydantic import ValidationError

ApprovalPage = Callable[[str], str | None]
"""The address at which a request is decided, by its number; None while no console is served."""

ASKED_BY_RESULT = "2026-07-28"
"""From this protocol on a server asks its client with a result, and the client repeats its call."""
OFFER = "console"
PATIENCE_S = 20.0
"""Time for a person to answer, well within the minute that clients commonly give a call."""
REMEMBERED = 1000

_log = logging.getLogger(__name__)


def no_page(_number: str) -> None:
    """Where no console is served."""


class ConsoleOffer:
    """Offers each request's page once: an agent that repeats its call does not ask its user again.

    Args:
        page: of a request.
    """

    def __init__(self, page: ApprovalPage) -> None:
        self._page = page
        self._offered: deque[str] = deque(maxlen=REMEMBERED)

    async def made(
        self, result: CallToolResult, connection: Context[None] | None
    ) -> CallToolResult | InputRequiredResult:
        """The result; where its page is to be offered on 2026-07-28, first what the client shall ask.

        On earlier protocols the client is asked here; the result waits for its answer, not for long.
        """
        number = _waiting(result)
        if number is None or connection is None or not _may_be_asked(connection):
            return result
        page = None if number in self._offered else self._page(number)
        if page is None:
            return result
        self._offered.append(number)
        message = f"Approval {number} waits for an operator. Opening the console's page decides nothing yet."
        if (connection.protocol_version or "") >= ASKED_BY_RESULT:
            asked = ElicitRequest(params=ElicitRequestURLParams(message=message, url=page))
            return InputRequiredResult(input_requests={OFFER: asked})
        await _ask(connection, message, page, f"approval-{number}")
        return result


def _waiting(result: CallToolResult) -> str | None:
    """The number of the request that a result waits for; a plugin's answer may hold anything there."""
    match result.structured_content:
        case {"status": "pending_approval", "approval_id": str(number)} if number.isascii():
            return number if number.isdecimal() else None
    return None


def _may_be_asked(connection: Context[None]) -> bool:
    """Whether the client opens URLs, and this call is not one that it repeats with its answer."""
    able = connection.client_capabilities
    opens = able is not None and able.elicitation is not None and able.elicitation.url is not None
    return opens and OFFER not in (connection.input_responses or {})


async def _ask(connection: Context[None], message: str, page: str, offer_id: str) -> None:
    with anyio.move_on_after(PATIENCE_S) as limit:
        try:
            await connection.elicit_url(message, page, offer_id)
        except (MCPError, ValidationError) as error:
            _log.info("%s was not offered: %s", page, error)
    if limit.cancelled_caught:
        _log.info("%s was offered and not answered within %g s", page, PATIENCE_S)
