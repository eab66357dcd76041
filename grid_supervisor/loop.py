"""One loop's tick as a short LangGraph: sense → trust → forecast → decide → propose.

No model is in the control path. A tick that must not act ends early with its reason. Nodes that act
have no retry policy; the idempotency key makes a tick that runs twice act once.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal, TypedDict

from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from mcp import Client

from grid.telemetry import NATIVE_SITE
from grid_supervisor.approval_graph import ApprovalGraph
from grid_supervisor.calls import Answer, call_tool
from grid_supervisor.errors import ToolCallError
from grid_supervisor.proposing import request_for
from grid_supervisor.results import Action, LoopResult
from grid_supervisor.sense import blocked_by_check, blocked_by_status, grid_view, moment
from grid_supervisor.waiting import WaitingRoom
from policies.errors import PolicyError
from policies.view import Decision, GridView

OUTLOOK_HOURS = 24.0
HOURS_OF_PRICES = 36.0

Policy = Callable[[GridView], Sequence[Decision]]


class TickState(TypedDict, total=False):
    """What the nodes of one tick hand on."""

    status: Answer
    prices: Answer
    forecast: Answer | None
    view: GridView
    decisions: Sequence[Decision]
    actions: tuple[Action, ...]
    blocked: str


class Loop:
    """One loop of the supervisor.

    Args:
        name: ``response`` or ``trading``.
        policy: decides, from a view alone.
        client: its connection, whose principal it acts as.
        saver: keeps the threads of its pending requests.
        settles_at: when the accounts close; None without an end.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        client: Client,
        saver: BaseCheckpointSaver[Any],
        settles_at: datetime | None = None,
    ) -> None:
        self.name = name
        self._policy = policy
        self._client = client
        self._settles_at = settles_at
        self._waiting = WaitingRoom(ApprovalGraph(client, saver))
        self._graph = self._compile()

    async def tick(self) -> LoopResult:
        """Run the graph once."""
        state: dict[str, Any] = await self._graph.ainvoke(TickState())
        start = moment(state["status"]["interval_start"]) if "status" in state else None
        if state.get("blocked"):
            return LoopResult(self.name, start, "blocked", state["blocked"], state.get("actions", ()))
        actions = state.get("actions", ())
        acted = any(action.status in ("accepted", "pending_approval") for action in actions)
        return LoopResult(self.name, start, "acted" if acted else "idle", "", actions)

    def _compile(self) -> "CompiledStateGraph[TickState, None, TickState, TickState]":
        graph = StateGraph(TickState)
        nodes: tuple[Callable[[TickState], Awaitable[TickState]], ...] = (
            self._sense,
            self._trust,
            self._forecast,
            self._decide,
            self._propose,
        )
        names = ("sense", "trust", "forecast", "decide", "propose")
        for name, node in zip(names, nodes, strict=True):
            graph.add_node(name, RunnableLambda(node))
        graph.add_edge(START, "sense")
        for before, after in pairwise(names):
            graph.add_conditional_edges(before, _go_on(after), [after, END])
        graph.add_edge("propose", END)
        return graph.compile()

    async def _sense(self, _state: TickState) -> TickState:
        try:
            status = await call_tool(self._client, "get_grid_status", {})
            prices = await call_tool(
                self._client, "quote_prices", {"hours_ahead": HOURS_OF_PRICES, "resolution": "interval"}
            )
        except ToolCallError as error:
            return {"blocked": f"the grid could not be read: {error}"}
        self._waiting.observe(status)
        return {"status": status, "prices": prices, "blocked": blocked_by_status(status)}

    async def _trust(self, _state: TickState) -> TickState:
        try:
            check = await call_tool(self._client, "check_telemetry", {"site": NATIVE_SITE})
        except ToolCallError as error:
            return {"blocked": f"the telemetry could not be checked: {error}"}
        return {"blocked": blocked_by_check(check)}

    async def _forecast(self, _state: TickState) -> TickState:
        """Without a fresh forecast the policies go on from what is measured; an old one is never used."""
        try:
            arguments = {"site": NATIVE_SITE, "outlook_hours": OUTLOOK_HOURS}
            return {"forecast": await call_tool(self._client, "forecast_net_load", arguments)}
        except ToolCallError:
            return {"forecast": None}

    async def _decide(self, state: TickState) -> TickState:
        view = grid_view(
            state["status"],
            state["forecast"],
            state["prices"],
            settles_at=self._settles_at,
            peaker_start=self._waiting.peaker_start(),
        )
        try:
            return {"view": view, "decisions": tuple(self._policy(view))}
        except PolicyError as error:
            return {"view": view, "blocked": f"no decision: {error}"}

    async def _propose(self, state: TickState) -> TickState:
        view = state["view"]
        wanted = {decision.asset: decision for decision in state["decisions"]}
        actions = await self._waiting.settle(wanted, view.now)
        for decision in wanted.values():
            actions.append(await self._ask(decision, view))
        return {"actions": tuple(actions)}

    async def _ask(self, decision: Decision, view: GridView) -> Action:
        request = request_for(self.name, decision, view)
        try:
            answer = await call_tool(self._client, request.tool, request.arguments)
        except ToolCallError as error:
            return Action(decision.asset, decision.power_kw, decision.reason, "refused", str(error))
        if answer["status"] == "pending_approval":
            await self._waiting.enter(decision.asset, request, answer)
        return Action(
            asset=decision.asset,
            power_kw=decision.power_kw if answer["power_kw"] is None else answer["power_kw"],
            reason=decision.reason,
            status=answer["status"],
            detail=answer["next_step"],
            proposal_id=answer["proposal_id"],
            approval_id=answer["approval_id"],
            expected_gain_usd=decision.expected_gain_usd,
        )


def _go_on(after: str) -> Callable[[TickState], str]:
    def route(state: TickState) -> Literal["__end__"] | str:
        return END if state.get("blocked") else after

    return route
