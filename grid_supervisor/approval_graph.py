"""Waiting for an operator: one checkpointed LangGraph thread per pending request.

The thread stops at ``interrupt`` with the frozen call, and goes on when a decision is seen. Only
an approval repeats the call, unchanged; the server consumes the approval once, so a crash between
call and checkpoint cannot act twice.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from mcp import Client

from grid_supervisor.calls import Answer, call_tool

Decision = Literal["approved", "denied", "expired", "withdrawn"]


class ApprovalContext(TypedDict):
    """What the graph runs with."""

    client: Client


class ApprovalState(TypedDict, total=False):
    """The frozen call, the decision, and the answer to the repeated call."""

    approval_id: str
    tool: str
    arguments: dict[str, Any]
    decision: Decision
    answer: Answer


async def _wait(state: ApprovalState) -> ApprovalState:
    # A node restarts from its top when it is resumed: nothing may happen before this line.
    decision = interrupt({"approval_id": state["approval_id"], "tool": state["tool"]})
    return {"decision": decision}


async def _repeat(state: ApprovalState, runtime: Runtime[ApprovalContext]) -> ApprovalState:
    return {"answer": await call_tool(runtime.context["client"], state["tool"], state["arguments"])}


def _next(state: ApprovalState) -> str:
    return "repeat" if state["decision"] == "approved" else END


class ApprovalGraph:
    """The threads of one loop's pending requests.

    Args:
        client: the loop's connection, whose principal made the requests.
        saver: where the threads are kept.
    """

    def __init__(self, client: Client, saver: BaseCheckpointSaver[Any]) -> None:
        self._context = ApprovalContext(client=client)
        self._saver = saver
        graph = StateGraph(ApprovalState, context_schema=ApprovalContext)
        graph.add_node("wait", _wait)
        graph.add_node("repeat", _repeat)  # no retry policy: a call that acts is never repeated blindly
        graph.add_edge(START, "wait")
        graph.add_conditional_edges("wait", _next, ["repeat", END])
        graph.add_edge("repeat", END)
        self._graph = graph.compile(checkpointer=saver)

    async def open(self, approval_id: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """Freeze the call that waits for ``approval_id``."""
        frozen = ApprovalState(approval_id=approval_id, tool=tool, arguments=dict(arguments))
        await self._graph.ainvoke(frozen, _thread(approval_id), context=self._context)

    async def settle(self, approval_id: str, decision: Decision) -> Answer | None:
        """Resume the thread with the decision; the answer of the repeated call, None if it was not repeated.

        Raises:
            ToolCallError: when the repeated call failed; the thread is closed all the same, and a
                new request has to be made.
        """
        try:
            state = await self._graph.ainvoke(
                Command(resume=decision), _thread(approval_id), context=self._context
            )
        finally:
            await self._saver.adelete_thread(approval_id)
        answer: Answer | None = state.get("answer")
        return answer


def _thread(approval_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": approval_id}}
