"""A loop's requests that wait for an operator: at most one a tool, kept over a restart by their threads.

While one waits, the loop asks for no more of the same tool. A battery request binds its direction alone:
the other one, and standing still, the loop goes on to ask for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from grid_supervisor.approval_graph import ApprovalGraph, Thread
from grid_supervisor.calls import Answer
from grid_supervisor.errors import ToolCallError
from grid_supervisor.proposing import ToolRequest, tool_of
from grid_supervisor.results import Action, ActionStatus
from grid_supervisor.sense import moment
from policies.view import Decision, PeakerStart

WaitState = Literal["unanswered", "pending", "approved", "denied", "expired", "consumed", "done"]
"""As the server lists it, and: the answer was lost; the call was made and its receipt was lost; over."""


@dataclass(frozen=True, slots=True)
class _Request:
    thread: Thread
    state: WaitState


class WaitingRoom:
    """Follows the requests of one loop from the pending answer to the operator's decision.

    Args:
        loop: its name; its requests are those of ``supervisor:<loop>``.
        graph: keeps the threads.
    """

    def __init__(self, loop: str, graph: ApprovalGraph) -> None:
        self._subject = f"supervisor:{loop}"
        self._graph = graph
        self._requests: dict[str, _Request] = {}
        self._looked_back = False

    async def ask(self, request: ToolRequest, at: datetime) -> Answer:
        """Make a call; where it needs a person it waits here from now on.

        Raises:
            ToolCallError: when it failed; the next tick looks whether it became a request all the same.
        """
        try:
            answer = await self._graph.ask(request, at)
        except ToolCallError:
            await self._take(request.key)
            raise
        if answer["status"] == "pending_approval":
            await self._take(request.key)
        return answer

    async def observe(self, status: Answer) -> None:
        """Take the operators' decisions from a status, and at first the threads of before a restart."""
        if not self._looked_back:
            for thread in await self._graph.threads():
                self._requests[thread.name] = _Request(thread, _before(thread))
            self._looked_back = True
        listed = {entry["approval_id"]: entry for entry in status["approvals"]}
        for name, request in list(self._requests.items()):
            if request.state == "unanswered":
                await self._find(name, listed.values())
            elif request.state != "done":
                state = _state_of(request, listed, moment(status["now"]))
                self._requests[name] = replace(request, state=state)

    def peaker_start(self) -> PeakerStart:
        """What a policy may assume of a peaker start."""
        states = {one.state for one in self._requests.values() if one.thread.request.asset == "peaker"}
        if states & {"approved", "consumed"}:
            return "approved"
        return "pending" if states & {"pending", "denied"} else "none"

    async def settle(self, decisions: dict[str, Decision], now: datetime) -> list[Action]:
        """Carry out what was approved and is still wanted, and close what is over.

        Args:
            decisions: what the policy wants now, by asset; those that a request answers for are taken out,
                the others stay to be asked for.
            now: the interval. A denial holds until the request would have expired.
        """
        actions = [await self._settle(request, decisions, now) for request in list(self._requests.values())]
        return [action for action in actions if action is not None]

    async def _settle(
        self, request: _Request, decisions: dict[str, Decision], now: datetime
    ) -> Action | None:
        thread, asset = request.thread, request.thread.request.asset
        wanted = decisions.get(asset)
        goes_on = wanted is not None and _same_way(thread.request, wanted)
        if request.state == "done":
            await self._hold(thread, decisions, now)
            return None
        if request.state == "consumed" or (request.state == "approved" and goes_on):
            decisions.pop(asset, None)
            return await self._carry_out(thread, wanted, now)
        if request.state == "approved":
            return await self._close(thread, "withdrawn", "no longer wanted")
        if request.state == "expired" or (thread.expires_at is not None and now >= thread.expires_at):
            return await self._close(thread, "expired", f"was {request.state} until then")
        # In the interval of the request its idempotency key is the asset's, whatever the direction.
        if wanted is not None and (goes_on or thread.asked_at == now):
            del decisions[asset]
            return _action(thread, wanted, "waiting", f"approval {thread.approval_id} is {request.state}")
        return None

    async def _hold(self, thread: Thread, decisions: dict[str, Decision], now: datetime) -> None:
        """The frozen call has an older interval's key: without this, a second tick would ask once more."""
        if thread.settled_at == now:
            decisions.pop(thread.request.asset, None)
        else:
            await self._forget(thread)

    async def _carry_out(self, thread: Thread, wanted: Decision | None, now: datetime) -> Action:
        try:
            answer = await self._graph.carry_out(thread, now)
        except ToolCallError as error:
            await self._take(thread.name)
            return _action(thread, wanted, "refused", str(error))
        await self._take(thread.name)
        action = _action(thread, wanted, answer["status"], answer["next_step"])
        power_kw = action.power_kw if answer["power_kw"] is None else answer["power_kw"]
        return replace(action, power_kw=power_kw, proposal_id=answer["proposal_id"])

    async def _close(self, thread: Thread, status: Literal["expired", "withdrawn"], detail: str) -> Action:
        await self._forget(thread)
        asset = thread.request.asset
        return Action(
            asset, 0.0, f"approval {thread.approval_id}", status, detail, approval_id=thread.approval_id
        )

    async def _find(self, name: str, entries: Iterable[Answer]) -> None:
        """Bind a call whose answer was lost to the request that it became; forget it where it became none."""
        request = self._requests[name]
        found = next((entry for entry in entries if self._is_of(entry, request.thread.request)), None)
        if found is None:  # it never arrived, or needed nobody: its time is over either way
            await self._forget(request.thread)
            return
        await self._graph.bind(name, found["approval_id"], moment(found["expires_at"]))
        self._requests[name] = _Request(await self._graph.thread(name), found["state"])

    def _is_of(self, entry: Answer, request: ToolRequest) -> bool:
        arguments = request.arguments
        known = (entry["requester"], entry["tool"], abs(entry["power_kw"]), entry["reason"])
        return known == (self._subject, request.tool, arguments["power_kw"], arguments["reason"])

    async def _take(self, name: str) -> None:
        """Look at a thread after its graph has run."""
        thread = await self._graph.thread(name)
        self._requests[name] = _Request(thread, _before(thread))

    async def _forget(self, thread: Thread) -> None:
        await self._graph.forget(thread.name)
        del self._requests[thread.name]


def _before(thread: Thread) -> WaitState:
    """A request's state before the server was asked for it."""
    if thread.step == "ask":
        return "unanswered"
    return "done" if thread.step == "over" else "pending"


def _state_of(request: _Request, listed: Mapping[str, Answer], now: datetime) -> WaitState:
    """What became of a request; one that the server no longer lists was used up, or has expired."""
    thread = request.thread
    entry = listed.get(str(thread.approval_id))
    if entry is not None:
        state: WaitState = entry["state"]
        return state
    if thread.step == "repeat" and thread.expires_at is not None and now < thread.expires_at:
        return "consumed"
    return "denied" if request.state == "denied" else "expired"


def _same_way(request: ToolRequest, wanted: Decision) -> bool:
    """Whether the frozen call goes the way that is wanted now; a charge does not answer for a discharge."""
    tool, power_kw = tool_of(wanted)
    return tool == request.tool and power_kw != 0


def _action(thread: Thread, wanted: Decision | None, status: ActionStatus, detail: str) -> Action:
    """What became of a wish; the frozen call's own words where it is no longer wished for."""
    request = thread.request
    signed_kw = request.arguments["power_kw"] * (-1.0 if request.tool == "charge_battery" else 1.0)
    return Action(
        asset=request.asset,
        power_kw=signed_kw if wanted is None else wanted.power_kw,
        reason=request.arguments["reason"] if wanted is None else wanted.reason,
        status=status,
        detail=detail,
        approval_id=thread.approval_id,
        expected_gain_usd=None if wanted is None else wanted.expected_gain_usd,
    )
