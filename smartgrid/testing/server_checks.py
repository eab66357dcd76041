"""Checks of a tool behind the MCP server: what a client sees of it, and who may call it."""

from collections.abc import Iterator
from typing import Any

from mcp import Client
from mcp.types import CallToolResult, TextContent

from policies.principal import PRIORITY_PERSON, SCOPES, Principal
from smartgrid.testing.attending import attend
from smartgrid.testing.case import Case
from smartgrid.testing.small_grid import ANA
from smartgrid.testing.witnesses import watched_files


def clients_see_honest_hints(case: Case) -> Iterator[str]:
    """It is listed as what it declares, and its example is answered through a client."""
    tool = case.tool

    async def visit() -> tuple[Any, CallToolResult]:
        async with Client(case.later.server(ANA)) as client:
            listed = [shown for shown in (await client.list_tools()).tools if shown.name == tool.name]
            return listed, await client.call_tool(tool.name, dict(case.example))

    visited = attend(visit)
    if visited.answer is None:
        yield f"a client cannot use it: {visited.error!r}"
        return
    (listed, result) = visited.answer
    hints = listed[0].annotations if listed else None
    if hints is None or (hints.read_only_hint, hints.destructive_hint) != _declared(case):
        yield f"it declares effect={tool.effect!r} and is listed as {hints}"
    if result.is_error:
        yield f"a client that asks the example gets the error {_text(result)!r}"


def callers_without_its_scope_are_refused(case: Case) -> Iterator[str]:
    """Nobody without the scope calls it, whatever other scopes they hold."""
    tool = case.tool
    others = frozenset(SCOPES) - {tool.scope}

    async def intrude() -> CallToolResult:
        async with Client(case.later.server(Principal("local:eve", others, PRIORITY_PERSON))) as client:
            return await client.call_tool(tool.name, dict(case.example))

    with watched_files(case.later) as written:
        tried = attend(intrude)
    refused = tried.answer is not None and tried.answer.is_error and tool.scope in _text(tried.answer)
    if not refused or written:
        yield f"a caller without {tool.scope} was not refused: {tried}; written to: {written}"


def _declared(case: Case) -> tuple[bool, bool]:
    return case.tool.effect == "read", case.tool.effect == "act"


def _text(result: CallToolResult) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))
