"""What the conformance suite calls on 2026-07-28 to be asked back; a repeated call brings the answers."""

from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    MissingRequiredClientCapabilityErrorData,
    SamplingCapability,
    SamplingMessage,
    TextContent,
)

Call = Context[Any, Any]


def form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(words: str, max_tokens: int) -> CreateMessageRequest:
    said = SamplingMessage(role="user", content=TextContent(type="text", text=words))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[said], max_tokens=max_tokens))


NAME: InputRequests = {"user_name": form("What is your name?", "name")}
CONFIRM: InputRequests = {"confirm": form("Please confirm", "ok", "boolean")}
CONTEXT: InputRequests = {"user_context": form("What context should the prompt use?", "context")}
CAPITAL: InputRequests = {"capital_question": sample("What is the capital of France?", 100)}
ROOTS: InputRequests = {"client_roots": ListRootsRequest()}
SEVERAL: InputRequests = {**NAME, "greeting": sample("Generate a greeting", 50), **ROOTS}
ROUNDS: tuple[InputRequests, ...] = (
    {"step1": form("Step 1: What is your name?", "name")},
    {"step2": form("Step 2: What is your favorite color?", "color")},
)
QUESTIONS: dict[str, tuple[InputRequests, str | None]] = {
    "test_input_required_result_elicitation": (NAME, None),
    "test_input_required_result_sampling": (CAPITAL, None),
    "test_input_required_result_list_roots": (ROOTS, None),
    "test_input_required_result_request_state": (CONFIRM, "state"),
    "test_input_required_result_tampered_state": (CONFIRM, "state"),
    "test_input_required_result_multiple_inputs": (SEVERAL, "state"),
    "test_streaming_elicitation": (NAME, None),
}
"""Tool → what it asks for, and the state that must come back with the answers (the SDK seals it)."""


def answers_in(call: Call, asked: InputRequests) -> dict[str, Any] | None:
    """The answers to all that was asked; None while one is missing or was declined."""
    given = call.input_responses or {}
    answers = {key: given[key].model_dump(mode="json") for key in asked if key in given}
    if len(answers) < len(asked) or any(
        said.get("action", "accept") != "accept" for said in answers.values()
    ):
        return None
    return answers


def add_asking(server: MCPServer[Any]) -> None:
    """Add the tools and the prompt that ask back."""
    for name, (requests, state) in QUESTIONS.items():
        _add_question(server, name, requests, state)
    server.add_tool(_rounds, "test_input_required_result_multi_round", structured_output=False)
    server.add_tool(_allowed, "test_input_required_result_capabilities", structured_output=False)
    server.add_tool(_sampling_needed, "test_missing_capability", structured_output=False)

    @server.prompt("test_input_required_result_prompt", description="Asks for its context.")
    async def prompt(ctx: Call) -> Any:
        answers = answers_in(ctx, CONTEXT)
        if answers is None:
            return InputRequiredResult(input_requests=CONTEXT)
        return [UserMessage(f"Use this: {answers['user_context']['content']['context']}")]


def _add_question(server: MCPServer[Any], name: str, requests: InputRequests, state: str | None) -> None:
    async def ask(ctx: Call) -> Any:
        answers = answers_in(ctx, requests)
        if answers is None or ctx.request_state != state:
            return InputRequiredResult(input_requests=requests, request_state=state)
        return f"state-ok {answers}"

    server.add_tool(ask, name, description="Answers once it was answered.", structured_output=False)


async def _rounds(ctx: Call) -> Any:
    """Asks twice, one question after the other."""
    done = 0 if ctx.request_state is None else int(ctx.request_state)
    if done > 0 and answers_in(ctx, ROUNDS[done - 1]) is None:
        done -= 1  # the same question again
    if done == len(ROUNDS):
        return "Both were answered."
    return InputRequiredResult(input_requests=ROUNDS[done], request_state=str(done + 1))


async def _allowed(ctx: Call) -> Any:
    """Asks for nothing that the client has not declared."""
    able = ctx.client_capabilities or ClientCapabilities()
    requests = {**(CAPITAL if able.sampling else {}), **(NAME if able.elicitation else {})}
    if answers_in(ctx, requests) is not None:
        return "Answered."
    return InputRequiredResult(input_requests=requests)


async def _sampling_needed(ctx: Call) -> str:
    """Refuses a client that cannot sample."""
    if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
        wanted = ClientCapabilities(sampling=SamplingCapability())
        data = MissingRequiredClientCapabilityErrorData(required_capabilities=wanted)
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="the client declares no sampling",
            data=data.model_dump(by_alias=True, mode="json", exclude_none=True),
        )
    return "The client can sample."
