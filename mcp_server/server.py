"""From tool plugins to an MCP server: identity bound by the wiring, scope checked at every call."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool as ServedTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from mcp.types import Tool as ListedTool
from pydantic import ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dispatch.errors import DispatchError
from mcp_server.identity import Access
from mcp_server.schemas import schema_of
from pipeline.errors import PipelineError
from tools.contract import Tool, ToolCall, ToolContext, ToolInput
from tools.errors import ToolInputError, ToolScopeError, ToolUnavailableError

SERVER_NAME = "smartgrid"
INSTRUCTIONS = (
    "Watch and steer a grid area. Powers are in kW; at an asset, positive injects into the grid. Start with"
    " get_grid_status. A dispatch answers accepted, pending_approval or denied: on pending_approval, an"
    " operator decides outside this connection; repeat the same call once approved. Never act on stale data."
)

TOLD = (ToolInputError, ToolUnavailableError, ToolScopeError)
"""What a tool raises for its caller to read; a broken store or ledger says what to do by itself."""

_log = logging.getLogger(__name__)


class _RawArguments(ArgModelBase):
    """Takes the arguments as they came, so that our own validation words the refusal."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return {"arguments": self.model_extra or {}}


class ScopedServer(MCPServer[None]):
    """Lists the tools that its caller may call: agents pay for each tool listed, and try what they see.

    Args:
        tools: what it offers.
        context_for: gives each call its context.
        access: how it knows callers over HTTP.
    """

    def __init__(
        self, tools: Iterable[Tool], context_for: Callable[[], ToolContext], access: Access | None
    ) -> None:
        offered = list(tools)
        self._scope_of = {tool.name: tool.scope for tool in offered}
        self._context_for = context_for
        super().__init__(
            SERVER_NAME,
            instructions=INSTRUCTIONS,
            tools=[_served(tool, context_for) for tool in offered],
            token_verifier=access.verifier if access else None,
            auth=access.auth if access else None,
        )

    async def list_tools(self) -> list[ListedTool]:
        """The tools whose scope the caller holds."""
        held = self._context_for().principal.scopes
        return [tool for tool in await super().list_tools() if self._scope_of[tool.name] in held]


def build_server(
    tools: Iterable[Tool], context_for: Callable[[], ToolContext], access: Access | None = None
) -> MCPServer[None]:
    """An MCP server that offers ``tools``.

    Args:
        tools: as :func:`tools.registry.discover_tools` found them.
        context_for: gives each call its context. The principal in it comes from the wiring, never
            from a tool argument: one and the same for a server in memory or on stdio, and with
            ``access`` that of :func:`mcp_server.identity.caller`.
        access: tokens that are asked of callers over HTTP; none are where it is None.
    """
    return ScopedServer(tools, context_for, access)


def annotations_of(tool: Tool) -> ToolAnnotations:
    """Honest hints: what acts moves real power, and repeating it without a key acts again."""
    reads = tool.effect == "read"
    return ToolAnnotations(
        title=tool.title,
        read_only_hint=reads,
        destructive_hint=not reads,
        idempotent_hint=reads,
        open_world_hint=False,
    )


def _served(tool: Tool, context_for: Callable[[], ToolContext]) -> ServedTool:
    async def call(arguments: dict[str, Any]) -> CallToolResult:
        return await _answer(tool, arguments, context_for)

    return ServedTool(
        fn=call,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=schema_of(tool.input_model, "validation"),
        fn_metadata=FuncMetadata(
            arg_model=_RawArguments,
            output_model=tool.output_model,
            output_schema=schema_of(tool.output_model, "serialization"),
        ),
        is_async=True,
        annotations=annotations_of(tool),
    )


async def _answer(
    tool: Tool, arguments: dict[str, Any], context_for: Callable[[], ToolContext]
) -> CallToolResult:
    """One call: scope, input, run, output. Anticipated failures become text that says what to do."""
    try:
        context = context_for()
        _require_scope(tool, context)
        request = _validated(tool, arguments)
        call = ToolCall(tool.name, tool.effect, arguments)
        answer = await tool.run(request, replace(context, call=call))
    except (*TOLD, PipelineError, DispatchError) as error:
        raise ToolError(str(error)) from error
    except ToolError:
        raise
    except Exception as error:
        _log.exception("tool %s failed", tool.name)
        raise ToolError(
            "failed inside the server and nothing is known of its result; the server's log has the details."
            " Check get_grid_status before you call it again."
        ) from error
    content = answer.model_dump(mode="json", by_alias=True)
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=content)


def _require_scope(tool: Tool, context: ToolContext) -> None:
    principal = context.principal
    if tool.scope not in principal.scopes:
        held = ", ".join(sorted(principal.scopes)) or "none"
        raise ToolScopeError(
            f"needs the scope {tool.scope}; this connection ({principal.subject}) has: {held}."
            " Connect with a credential that carries it"
        )


def _validated(tool: Tool, arguments: dict[str, Any]) -> ToolInput:
    try:
        return tool.input_model.model_validate(arguments)
    except ValidationError as error:
        raise ToolInputError(_explained(error.errors(include_url=False))) from None


def _explained(problems: Sequence[ErrorDetails]) -> str:
    """Each wrong field with its value and what is expected."""
    lines = []
    for problem in problems:
        field = ".".join(str(part) for part in problem["loc"]) or "arguments"
        if problem["type"] == "missing":
            lines.append(f"{field}: is required; give it")
        elif problem["type"] == "extra_forbidden":
            lines.append(f"{field}: no such argument; remove it or correct its name")
        else:
            lines.append(f"{field}={_short(problem['input'])}: {problem['msg']}")
    return "; ".join(lines)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
