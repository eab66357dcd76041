"""What the conformance suite calls to see messages on the way: progress, changes, and the older questions."""

from collections.abc import Callable
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import EmptyResult, SamplingMessage, SetLevelRequestParams, TextContent
from pydantic import BaseModel, Field

Call = Context[Any, Any]
PAUSE_S = 0.05
"""The suite asks for about that between two messages."""
STATES = ["active", "inactive", "pending"]


class Response(BaseModel):
    """The suite's form."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    """A field of every primitive type, with a default (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": STATES})] = "active"
    verified: bool = True


def one_of(*options: str) -> dict[str, Any]:
    return {"oneOf": [{"const": option, "title": option.title()} for option in options]}


class Choices(BaseModel):
    """Every way to offer a choice (SEP-1330)."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})  # noqa: N815
    titledSingle: str = Field(json_schema_extra=one_of("value1", "value2", "value3"))  # noqa: N815
    legacyEnum: str = Field(  # noqa: N815
        json_schema_extra={"enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]}
    )
    untitledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2", "option3"]}}
    )
    titledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"anyOf": one_of("value1", "value2", "value3")["oneOf"]}}
    )


def add_session(server: MCPServer[Any]) -> None:
    """Add what sends messages of its own while it runs."""
    runs: dict[str, Callable[..., Any]] = {
        "test_error_handling": _fail,
        "test_tool_with_progress": _progress,
        "test_tool_with_logging": _log,
        "test_logging_tool": _log,
        "test_sampling": _sample,
        "test_elicitation": _elicit,
        "test_elicitation_sep1034_defaults": _elicit_defaults,
        "test_elicitation_sep1330_enums": _elicit_choices,
        "test_trigger_tool_change": _change_tools,
        "test_trigger_prompt_change": _change_prompts,
    }
    for name, run in runs.items():
        server.add_tool(run, name, structured_output=False)
    # What an older client may ask for and our server has no use for: it sends no log messages.
    server._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, _set_level)


async def _set_level(context: ServerRequestContext[Any], params: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()


async def _fail() -> str:
    """Always an error."""
    raise ToolError("This tool intentionally returns an error for testing")


async def _progress(ctx: Call) -> str:
    """Reports its progress."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"{done} of 100")
        await anyio.sleep(PAUSE_S)
    return "Done."


async def _log(ctx: Call) -> str:
    """Logs to the client."""
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(words)
        await anyio.sleep(PAUSE_S)
    return "Done."


async def _sample(prompt: str, ctx: Call) -> str:
    """Asks the client's model."""
    said = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message(messages=[said], max_tokens=100)
    return f"LLM response: {answer.content.text if isinstance(answer.content, TextContent) else ''}"


async def _elicit(message: str, ctx: Call) -> str:
    """Asks the client's user."""
    return await _elicited(ctx, message, Response)


async def _elicit_defaults(ctx: Call) -> str:
    """Asks with defaults."""
    return await _elicited(ctx, "Please confirm", Defaults)


async def _elicit_choices(ctx: Call) -> str:
    """Asks for choices."""
    return await _elicited(ctx, "Please choose", Choices)


async def _elicited(ctx: Call, message: str, form: type[BaseModel]) -> str:
    found = await ctx.elicit(message, form)
    content = found.data.model_dump() if found.action == "accept" else {}
    return f"Elicitation completed: action={found.action}, content={content}"


async def _change_tools(ctx: Call) -> str:
    """Tells that the tools changed."""
    await ctx.notify_tools_changed()
    return "Told."


async def _change_prompts(ctx: Call) -> str:
    """Tells that the prompts changed."""
    await ctx.notify_prompts_changed()
    return "Told."
