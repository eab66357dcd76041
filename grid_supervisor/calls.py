"""Calling a tool through the MCP client: a plain dictionary back, or an error with the server's words."""

from collections.abc import Mapping
from typing import Any

from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from grid_supervisor.errors import ToolCallError

Answer = Mapping[str, Any]
"""A tool's structured answer, as the protocol carries it."""


async def call_tool(client: Client, name: str, arguments: Mapping[str, Any]) -> Answer:
    """Call a tool and return its structured answer.

    Raises:
        ToolCallError: when the tool refused, failed, asked back or answered without structure, or the
            server answered with a protocol error.
    """
    try:
        # A question from the server must not be answered automatically: the supervisor decides nothing twice.
        result = await client.session.call_tool(name, dict(arguments), allow_input_required=True)
    except MCPError as error:
        raise ToolCallError(f"{name}: {error}") from error
    if not isinstance(result, CallToolResult):
        raise ToolCallError(f"{name}: the server asks for input; the supervisor gives none")
    if result.is_error:
        raise ToolCallError(" ".join(item.text for item in result.content if isinstance(item, TextContent)))
    if not isinstance(result.structured_content, dict):
        raise ToolCallError(f"{name}: the answer has no structured content")
    return result.structured_content
