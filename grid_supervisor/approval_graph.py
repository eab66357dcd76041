"""One request to act, from the call to its receipt: a checkpointed LangGraph thread.

::

    ask ──► accepted, denied: over
     └────► pending_approval ──► wait ──► approved ──► repeat ──► accepted: over
                                  ▲                      │
                                  └── not accepted yet ──┘

The call is frozen before it is made, so that no crash loses what was asked, and only an approval
repeats it, unchanged. LangGraph runs a node again whose end it has not seen: the server answers the
same call with the same request, uses an approval up once, and acts once on an idempotency key.

A thread is named after its call's idempotency key (loop, asset, interval).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, StateSnapshot, interrupt
from mcp import Client

from grid_supervisor.calls import Answer, call_tool
from grid_supervisor.proposing import ToolRequest

Step = Literal["ask", "wait", "repeat", "over"]


def _later(one: str, other: str) -> str:
    return max(one, other)


class ApprovalState(TypedDict, total=False):
    """The frozen call, the request that it became, and the newest answer. Times are ISO texts."""

    tool: str
    arguments: dict[str, Any]
    asked_at: str
    answer: Answer
    approval_id: str
    expires_at: str
    settled_at: Annotated[str, _later]  # a crash may leave an older one behind that was not applied yet


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a request stands.

    Attributes:
        name: of the thread.
        request: the frozen call.
        step: what comes next; ``ask`` and ``repeat`` where a crash left it before the answer was kept.
        asked_at: the interval that it was asked in.
        approval_id, expires_at: of the operator's request; None before there is one.
        settled_at: the interval in which an approval was carried out; None before.
    """

    name: str
    request: ToolRequest
    step: Step
    asked_at: datetime
    approval_id: str | None
    expires_at: datetime | None
    settled_at: datetime | None


class ApprovalGraph:
    """The threads of one loop.

    Args:
        loop: its name, with which its threads' names begin.
        client: the loop's connection, whose principal makes the requests.
        saver: where the threads are kept.
    """

    def __init__(self, loop: str, client: Client, saver: BaseCheckpointSaver[Any]) -> None:
        self._loop = loop
        self._saver = saver
        call = _caller(client)
        graph = StateGraph(ApprovalState)
        graph.add_node("ask", call)
        graph.add_node("wait", _wait)
        graph.add_node("repeat", call)  # no retry policy: a call that acts is not repeated blindly
        graph.add_edge(START, "ask")
        graph.add_conditional_edges("ask", _after_asking, ["wait", END])
        graph.add_edge("wait", "repeat")
        graph.add_conditional_edges("repeat", _after_repeating, ["wait", END])
        self._graph = graph.compile(checkpointer=saver)

    async def ask(self, request: ToolRequest, at: datetime) -> Answer:
        """Freeze a call and make it; a thread stays where it has to wait.

        Args:
            request: the call; its idempotency key names the thread.
            at: the interval.

        Raises:
            ToolCallError: when it failed; the thread stays at ``ask``, since nothing is known of its effect.
        """
        name = request.key
        frozen = ApprovalState(tool=request.tool, arguments=request.arguments, asked_at=at.isoformat())
        state = await self._graph.ainvoke(frozen, _config(name), durability="sync")
        answer: Answer = state["answer"]
        if answer["status"] != "pending_approval":
            await self.forget(name)
        return answer

    async def bind(self, name: str, approval_id: str, expires_at: datetime) -> None:
        """Let a thread wait whose answer was lost, for the request that its call became."""
        known = ApprovalState(
            answer={"status": "pending_approval"}, approval_id=approval_id, expires_at=expires_at.isoformat()
        )
        await self._graph.aupdate_state(_config(name), known, as_node="ask")
        await self._graph.ainvoke(None, _config(name), durability="sync")

    async def carry_out(self, thread: Thread, at: datetime) -> Answer:
        """Repeat the frozen call of a request that was approved; the answer.

        Raises:
            ToolCallError: when the call failed; the thread stays at ``repeat``.
        """
        seen = ApprovalState(settled_at=at.isoformat())
        going_on: Command[Any] | None = Command(resume="approved", update=seen)
        if thread.step == "repeat":  # the approval was seen before a crash
            await self._graph.aupdate_state(_config(thread.name), seen, as_node="wait")
            going_on = None
        state = await self._graph.ainvoke(going_on, _config(thread.name), durability="sync")
        answer: Answer = state["answer"]
        return answer

    async def forget(self, name: str) -> None:
        """Close a thread, whatever it waits for."""
        await self._saver.adelete_thread(name)

    async def thread(self, name: str) -> Thread:
        """Where one thread stands."""
        return _thread(name, await self._graph.aget_state(_config(name)))

    async def threads(self) -> list[Thread]:
        """The threads of this loop that were not closed, as the saver has them."""
        kept = [found.config["configurable"]["thread_id"] async for found in self._saver.alist(None)]
        names = sorted({name for name in kept if name.startswith(f"{self._loop}/")})
        found = [(name, await self._graph.aget_state(_config(name))) for name in names]
        for name, snapshot in found:
            if "tool" not in snapshot.values:  # a crash came before its first step: nothing was asked
                await self.forget(name)
        return [_thread(name, snapshot) for name, snapshot in found if "tool" in snapshot.values]


class _Node(Protocol):
    async def __call__(self, state: ApprovalState) -> ApprovalState: ...


def _caller(client: Client) -> _Node:
    async def call(state: ApprovalState) -> ApprovalState:
        answer = await call_tool(client, state["tool"], state["arguments"])
        if answer["status"] != "pending_approval":
            return {"answer": answer}
        return {"answer": answer, "approval_id": answer["approval_id"], "expires_at": answer["expires_at"]}

    return call


async def _wait(state: ApprovalState) -> ApprovalState:
    # A node restarts from its top when it is resumed: nothing may happen before this line.
    interrupt({"approval_id": state["approval_id"], "tool": state["tool"]})
    return {}


async def _after_asking(state: ApprovalState) -> str:
    # A plain function would run in a thread of its own.
    return "wait" if state["answer"]["status"] == "pending_approval" else END


async def _after_repeating(state: ApprovalState) -> str:
    """A guardrail may refuse what was approved: the approval is kept, and may be used until it expires."""
    return END if state["answer"]["status"] == "accepted" else "wait"


def _config(name: str) -> RunnableConfig:
    return {"configurable": {"thread_id": name}}


def _thread(name: str, snapshot: StateSnapshot) -> Thread:
    values = snapshot.values
    # Not ``next``: it leaves out a node that has ended and whose end is not in a checkpoint yet.
    step: Any = snapshot.tasks[0].name if snapshot.tasks else "over"
    return Thread(
        name=name,
        request=ToolRequest(values["tool"], values["arguments"]),
        step=step,
        asked_at=datetime.fromisoformat(values["asked_at"]),
        approval_id=values.get("approval_id"),
        expires_at=_moment(values.get("expires_at")),
        settled_at=_moment(values.get("settled_at")),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
