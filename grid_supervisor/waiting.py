"""A loop's requests that wait for an operator: at most one an asset."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from grid_supervisor.approval_graph import ApprovalGraph
from grid_supervisor.calls import Answer
from grid_supervisor.errors import ToolCallError
from grid_supervisor.proposing import ToolRequest, tool_of
from grid_supervisor.results import Action
from grid_supervisor.sense import moment
from policies.view import Decision, PeakerStart

WaitState = Literal["pending", "approved", "denied", "expired"]


@dataclass(frozen=True, slots=True)
class _Request:
    approval_id: str
    expires_at: datetime
    tool: str
    state: WaitState


class WaitingRoom:
    """Follows the requests of one loop from the pending answer to the operator's decision.

    Args:
        graph: keeps the frozen calls.
    """

    def __init__(self, graph: ApprovalGraph) -> None:
        self._graph = graph
        self._requests: dict[str, _Request] = {}
        self._repeated_at: dict[str, datetime] = {}

    async def enter(self, asset: str, request: ToolRequest, answer: Answer) -> None:
        """Freeze a call that was answered ``pending_approval``."""
        approval_id = answer["approval_id"]
        await self._graph.open(approval_id, request.tool, request.arguments)
        expires_at = moment(answer["expires_at"])
        self._requests[asset] = _Request(approval_id, expires_at, request.tool, "pending")

    def observe(self, status: Answer) -> None:
        """Take the operators' decisions from a status; a request that is gone has expired."""
        known = {entry["approval_id"]: entry["state"] for entry in status["approvals"]}
        for asset, request in self._requests.items():
            state: WaitState = request.state if request.state == "denied" else "expired"
            state = known.get(request.approval_id, state)
            self._requests[asset] = _Request(request.approval_id, request.expires_at, request.tool, state)

    def peaker_start(self) -> PeakerStart:
        """What a policy may assume of a peaker start."""
        request = self._requests.get("peaker")
        if request is None or request.state == "expired":
            return "none"
        return "approved" if request.state == "approved" else "pending"

    async def settle(self, decisions: dict[str, Decision], now: datetime) -> list[Action]:
        """Carry out what was approved and is still wanted, and close what is over.

        Args:
            decisions: what the policy wants now, by asset; those that a request answers for are taken out,
                the others stay to be asked for.
            now: the plant's time. A denial holds until the request would have expired.
        """
        # The frozen call has an older interval's key: without this, a second tick would ask once more.
        for asset in [asset for asset, at in self._repeated_at.items() if at == now]:
            decisions.pop(asset, None)
        actions = []
        for asset, request in list(self._requests.items()):
            wanted = decisions.get(asset)
            if request.state == "approved" and wanted is not None and _still_wanted(request, wanted):
                del decisions[asset]
                self._repeated_at[asset] = now
                actions.append(await self._repeat(asset, request, wanted))
            elif request.state == "approved":
                actions.append(await self._close(asset, request, "withdrawn", "no longer wanted"))
            elif request.state == "expired" or now >= request.expires_at:
                actions.append(
                    await self._close(asset, request, "expired", f"was {request.state} until then")
                )
            elif wanted is not None:
                del decisions[asset]
                detail = f"approval {request.approval_id} is {request.state}"
                actions.append(_action(asset, wanted, "waiting", detail, request))
        return actions

    async def _repeat(self, asset: str, request: _Request, wanted: Decision) -> Action:
        del self._requests[asset]
        try:
            answer = await self._graph.settle(request.approval_id, "approved")
        except ToolCallError as error:
            return _action(asset, wanted, "refused", str(error), request)
        if answer is None:
            return _action(asset, wanted, "withdrawn", "the frozen call is gone", request)
        return Action(
            asset=asset,
            power_kw=wanted.power_kw if answer["power_kw"] is None else answer["power_kw"],
            reason=wanted.reason,
            status=answer["status"],
            detail=answer["next_step"],
            proposal_id=answer["proposal_id"],
            approval_id=request.approval_id,
            expected_gain_usd=wanted.expected_gain_usd,
        )

    async def _close(
        self, asset: str, request: _Request, decision: Literal["expired", "withdrawn"], detail: str
    ) -> Action:
        del self._requests[asset]
        await self._graph.settle(request.approval_id, decision)
        return Action(
            asset, 0.0, f"approval {request.approval_id}", decision, detail, None, request.approval_id
        )


def _still_wanted(request: _Request, wanted: Decision) -> bool:
    """Whether the frozen call goes the way that is wanted now; a charge does not answer for a discharge."""
    tool, power_kw = tool_of(wanted)
    return tool == request.tool and power_kw != 0


def _action(
    asset: str,
    wanted: Decision,
    status: Literal["waiting", "refused", "withdrawn"],
    detail: str,
    of: _Request,
) -> Action:
    return Action(
        asset,
        wanted.power_kw,
        wanted.reason,
        status,
        detail,
        None,
        of.approval_id,
        wanted.expected_gain_usd,
    )
