"""One loop's tick as a short LangGraph: sense → trust → forecast → decide → propose.

No model is in the control path. A tick that must not act ends early with its reason. Nodes that act
have no retry policy; the idempotency key makes a tick that runs twice act once. In shadow mode the last
step says what it would have asked for, and asks for nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from mcp import Client

from grid.telemetry import NATIVE_SITE
from grid_supervisor.approval_graph import ApprovalGraph
from grid_supervisor.calls import Answer, Reads
from grid_supervisor.errors import ToolCallError
from grid_supervisor.proposing import request_for, tool_of
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

    reads: Reads
    status: Answer
    prices: Answer
    forecast: Answer | None
    view: GridView
    decisions: Sequence[Decision]
    actions: tuple[Action, ...]
    blocked: str


class _Node(Protocol):
    async def __call__(self, state: TickState) -> TickState: ...


class Loop:
    """One loop of the supervisor.

    Args:
        name: ``response`` or ``trading``.
        policy: decides, from a view alone.
        client: its connection, whose principal it acts as.
        saver: keeps the threads of its pending requests.
        settles_at: when the accounts close; None without an end.
        shadow: whether it only says what it would do.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        client: Client,
        saver: BaseCheckpointSaver[Any],
        settles_at: datetime | None = None,
        *,
        shadow: bool = False,
    ) -> None:
        self.name = name
        self._policy = policy
        self._client = client
        self._settles_at = settles_at
        self._shadow = shadow
        self._waiting = WaitingRoom(name, ApprovalGraph(name, client, saver))
        self._graph = self._compile()

    async def tick(self, reads: Reads | None = None) -> LoopResult:
        """Run the graph once.

        Args:
            reads: what a loop before it was told in this tick, which is not asked again.
        """
        state: dict[str, Any] = await self._graph.ainvoke(TickState(reads=reads or Reads()))
        start = moment(state["status"]["interval_start"]) if "status" in state else None
        if state.get("blocked"):
            return LoopResult(self.name, start, "blocked", state["blocked"], state.get("actions", ()))
        actions = state.get("actions", ())
        if self._shadow:
            return LoopResult(self.name, start, "shadowed", "", actions)
        acted = any(action.status in ("accepted", "pending_approval") for action in actions)
        return LoopResult(self.name, start, "acted" if acted else "idle", "", actions)

    def _compile(self) -> "CompiledStateGraph[TickState, None, TickState, TickState]":
        graph = StateGraph(TickState)
        nodes: tuple[_Node, ...] = (
            self._sense,
            self._trust,
            self._forecast,
            self._decide,
            self._shadow_propose if self._shadow else self._propose,
        )
        names = ("sense", "trust", "forecast", "decide", "propose", END)
        for (name, after), node in zip(pairwise(names), nodes, strict=True):
            graph.add_node(name, _then(node, after), destinations=(after, END))
        graph.add_edge(START, "sense")
        return graph.compile()

    async def _sense(self, state: TickState) -> TickState:
        ask, client = state["reads"].ask, self._client
        try:
            status = await ask(client, "get_grid_status")
            prices = await ask(client, "quote_prices", hours_ahead=HOURS_OF_PRICES, resolution="interval")
        except ToolCallError as error:
            return {"blocked": f"the grid could not be read: {error}"}
        if not self._shadow:
            await self._waiting.observe(status)
        return {"status": status, "prices": prices, "blocked": blocked_by_status(status)}

    async def _trust(self, state: TickState) -> TickState:
        try:
            check = await state["reads"].ask(self._client, "check_telemetry", site=NATIVE_SITE)
        except ToolCallError as error:
            return {"blocked": f"the telemetry could not be checked: {error}"}
        return {"blocked": blocked_by_check(check)}

    async def _forecast(self, state: TickState) -> TickState:
        """Without a fresh forecast the policies go on from what is measured; an old one is never used."""
        ask = state["reads"].ask
        forecast: Answer | None = None
        with suppress(ToolCallError):
            forecast = await ask(
                self._client, "forecast_net_load", site=NATIVE_SITE, outlook_hours=OUTLOOK_HOURS
            )
        return {"forecast": forecast}

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

    async def _shadow_propose(self, state: TickState) -> TickState:
        return {"actions": tuple(_shadowed(decision) for decision in state["decisions"])}

    async def _ask(self, decision: Decision, view: GridView) -> Action:
        request = request_for(self.name, decision, view)
        try:
            answer = await self._waiting.ask(request, view.now)
        except ToolCallError as error:
            return Action(decision.asset, decision.power_kw, decision.reason, "refused", str(error))
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


def _shadowed(decision: Decision) -> Action:
    tool, power_kw = tool_of(decision)
    return Action(
        asset=decision.asset,
        power_kw=decision.power_kw,
        reason=decision.reason,
        status="shadow",
        detail=f"would call {tool} with {power_kw:g} kW for {decision.duration_s / 60.0:g} min",
        expected_gain_usd=decision.expected_gain_usd,
    )


class _Step(Protocol):
    async def __call__(self, state: TickState) -> Command[str]: ...


def _then(node: _Node, after: str) -> _Step:
    """The node, and where the tick goes on; a conditional edge would cost half as much again as a step."""

    async def step(state: TickState) -> Command[str]:
        update = await node(state)
        return Command(update=update, goto=END if update.get("blocked") else after)

    return step
