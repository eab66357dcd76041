"""One tool call: scope, input, run within its time, output. Whatever happens becomes words for the caller."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent
from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from dispatch.errors import DispatchError
from mcp_server.isolation import is_own, plugin_thread, revocable
from mcp_server.progress import Reporter
from pipeline.errors import PipelineError
from policies.principal import Principal
from tools.contract import Progress, Tool, ToolCall, ToolContext, ToolInput, no_progress
from tools.errors import ToolInputError, ToolScopeError, ToolUnavailableError

TOLD = (ToolInputError, ToolUnavailableError, ToolScopeError, PipelineError, DispatchError)
"""What is raised for the caller to read; a broken store or ledger says what to do by itself."""
UNKNOWN_RESULT = "nothing is known of its result. Check get_grid_status before you call it again"

_log = logging.getLogger(__name__)


class Caller:
    """Calls tools for whoever the wiring says is there.

    Args:
        context_for: gives each call its context.
        timeout_s: seconds that a call may take.
    """

    def __init__(self, context_for: Callable[[], ToolContext], timeout_s: float) -> None:
        self._context_for = context_for
        self._timeout_s = timeout_s

    async def call(
        self, tool: Tool, arguments: dict[str, Any], connection: Context[None] | None
    ) -> CallToolResult:
        """The answer, or an error that says what to do."""
        if connection is None:
            return await self._answered(tool, arguments, no_progress)
        reporter = Reporter(connection.session)
        result = await self._answered(tool, arguments, reporter.progress)
        await reporter.finish()
        return result

    async def _answered(self, tool: Tool, arguments: dict[str, Any], progress: Progress) -> CallToolResult:
        try:
            context = self._context_for()
            require_scope(tool.scope, context.principal)
            request = _validated(tool, arguments)
            call = ToolCall(tool.name, tool.effect, arguments)
            with anyio.move_on_after(self._timeout_s) as limit:
                answer = await _run(tool, request, replace(context, call=call, progress=progress))
            if limit.cancelled_caught:
                return self._too_slow(tool)
            if not isinstance(answer, tool.output_model):
                return _not_as_promised(tool, answer)
            return _told(answer.model_dump_json(by_alias=True))
        except TOLD as error:
            return refused(f"{tool.name}: {error}")
        except Exception:  # noqa: BLE001  a plugin may raise anything; the server lives on
            _log.exception("tool %s (%s) failed", tool.name, _home(tool))
            return refused(
                f"{tool.name} failed inside the server and {UNKNOWN_RESULT}; details: server's log."
            )

    def _too_slow(self, tool: Tool) -> CallToolResult:
        _log.error("tool %s (%s) was stopped after %g s", tool.name, _home(tool), self._timeout_s)
        return refused(
            f"{tool.name} did not answer within {self._timeout_s:g} s and was stopped; {UNKNOWN_RESULT}."
            " The other tools work."
        )


def require_scope(scope: str, principal: Principal) -> None:
    """Refuse a caller that lacks a scope.

    Raises:
        ToolScopeError: naming the scopes that it has.
    """
    if scope not in principal.scopes:
        held = ", ".join(sorted(principal.scopes)) or "none"
        raise ToolScopeError(
            f"needs the scope {scope}; this connection ({principal.subject}) has: {held}."
            " Connect with a credential that carries it"
        )


def refused(text: str) -> CallToolResult:
    """An error that the agent reads."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


async def _run(tool: Tool, request: ToolInput, context: ToolContext) -> object:
    """Ours on the server's own event loop; a third party's beside it, and without a desk once it is over."""
    if is_own(tool):
        return await tool.run(request, context)
    desk, close = revocable(context.desk)
    try:
        return await plugin_thread(tool.run).call(tool.run, request, replace(context, desk=desk))
    finally:
        close()


def _not_as_promised(tool: Tool, answer: object) -> CallToolResult:
    wanted, got = tool.output_model.__name__, type(answer).__name__
    _log.error("tool %s (%s) answered a %s instead of a %s", tool.name, _home(tool), got, wanted)
    return refused(
        f"{tool.name} broke its contract (a {got} instead of a {wanted}) and {UNKNOWN_RESULT}."
        " Its author has to mend it."
    )


def _told(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=from_json(text))


def _home(tool: Tool) -> str:
    return str(getattr(tool.run, "__module__", "of unknown origin"))


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
