"""Calling a tool through the MCP client: a plain dictionary back, or an error with the server's words."""

from collections.abc import Mapping
from typing import Any

from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    TextContent,
)
from pydantic import TypeAdapter, ValidationError

from grid_supervisor.errors import ToolCallError

Answer = Mapping[str, Any]
"""A tool's structured answer, as the protocol carries it."""
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)


class Reads:
    """What the tools said in one tick: each question is asked once, whichever loop asks it first."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    async def ask(self, client: Client, tool: str, **arguments: Any) -> Answer:
        """The answer; a question that failed may be asked again.

        Raises:
            ToolCallError: as :func:`call_tool` does.
        """
        question = f"{tool} {arguments}"
        if question not in self._answers:
            self._answers[question] = await call_tool(client, tool, arguments)
        return self._answers[question]


async def call_tool(client: Client, name: str, arguments: Mapping[str, Any]) -> Answer:
    """Call a tool and return its structured answer.

    Our server answers by each tool's model. The session's ``call_tool`` would check every number of that once
    more against the schema made of the same model, which took half of a tick's time.

    Raises:
        ToolCallError: when the tool refused, failed, asked back or answered without structure, or the
            server answered with a protocol error.
    """
    try:
        # A question from the server must not be answered automatically: the supervisor decides nothing twice.
        params = CallToolRequestParams(name=name, arguments=dict(arguments))
        result = await client.session.send_request(CallToolRequest(params=params), _RESULT)
    except (MCPError, ValidationError) as error:  # the latter: no answer that the protocol knows
        raise ToolCallError(f"{name}: {error}") from error
    if not isinstance(result, CallToolResult):
        raise ToolCallError(f"{name}: the server asks for input; the supervisor gives none")
    if result.is_error:
        raise ToolCallError(" ".join(item.text for item in result.content if isinstance(item, TextContent)))
    if not isinstance(result.structured_content, dict):
        raise ToolCallError(f"{name}: the answer has no structured content")
    return result.structured_content
