"""The virtual end node: reads the VTN's events, asks for what they want through the tools, reports back.

An event is a wish of one more principal: guardrails, approvals and the arbiter treat it as any other.
Of one principal only the newest proposal counts, so a changed event replaces what it had asked for, and a
deleted one is released by a proposal that ends at once.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from anyio import to_thread
from mcp import Client

from grid_supervisor.calls import Answer, call_tool
from grid_supervisor.errors import ToolCallError
from grid_supervisor.sense import moment
from policies.principal import PRIORITY_RESPONSE, PRIORITY_TRADING, SCOPE_DISPATCH, SCOPE_READ, Principal
from policies.proposal import AssetName
from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.signals import Offer, Response, ResponseState, Vtn
from smartgrid.openadr.wishes import Wish, wishes_at

PRIORITY = (PRIORITY_TRADING + PRIORITY_RESPONSE) // 2
"""A contract outranks trading; an answer to an instability of this area outranks the contract."""
OVERLAP = timedelta(minutes=1)
"""A claim that another one follows lasts a little longer, so that no gap opens between two looks."""
STEP_MIN = 1 / 16
"""Durations are multiples of it: exact in minutes and in seconds, as an approval's binding needs."""

logger = logging.getLogger(__name__)


def ven_principal(name: str, *, shadow: bool = False) -> Principal:
    """Whom the events of a virtual end node act as: autonomous, so the stricter rules bind it.

    Args:
        name: of the virtual end node.
        shadow: it may read alone, so that every wish is denied.
    """
    scopes = {SCOPE_READ} if shadow else {SCOPE_READ, SCOPE_DISPATCH}
    return Principal(f"supervisor:openadr:{name}", frozenset(scopes), PRIORITY)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A wish that was accepted, until when it acts, and what the VTN is told of it."""

    wish: Wish
    ends_at: datetime
    response: Response


class VirtualEndNode:
    """Follows a VTN's events with the battery and the peaker.

    Args:
        client: an MCP connection of :func:`ven_principal`.
        vtn: the way to the VTN.
        subject: of that principal.
    """

    def __init__(self, client: Client, vtn: Vtn, subject: str) -> None:
        self._client = client
        self._vtn = vtn
        self._subject = subject
        self._claims: dict[AssetName, _Claim] = {}
        self._denied_in: dict[str, tuple[str, Response]] = {}
        self._told: dict[tuple[str, int, AssetName], Response] = {}
        self._withdrawn_at = ""

    async def enrol(self) -> None:
        """Make the virtual end node and both assets known to the VTN.

        Raises:
            VtnError: when the VTN cannot be reached or refuses.
            ToolCallError: when the grid cannot be read.
        """
        status = await call_tool(self._client, "get_grid_status", {})
        battery_kw, peaker_kw = status["battery"]["max_power_kw"], status["peaker"]["max_power_kw"]
        offers = (Offer("battery", battery_kw, battery_kw), Offer("peaker", peaker_kw, 0.0))
        await to_thread.run_sync(self._vtn.enrol, offers)

    async def tick(self) -> tuple[Response, ...]:
        """Look once; what is new since the last look.

        Raises:
            VtnError: when the VTN cannot be read; what was accepted lasts until it ends.
            ToolCallError: when the grid cannot be read.
        """
        events = await to_thread.run_sync(self._vtn.events)
        targets = await to_thread.run_sync(self._vtn.targets)
        status = await call_tool(self._client, "get_grid_status", {})
        now = moment(status["now"])
        if _withdrawn(status):
            self._claims.clear()
            self._withdrawn_at = status["now"]
        wanted, responses = wishes_at(events, targets, status, now)
        for wish in wanted.values():
            after, _ = wishes_at(events, targets, status, wish.until)
            responses.append(await self._follow(wish, status, followed=wish.asset in after))
        await self._release(wanted, now)
        return await self._tell(responses)

    async def _release(self, wanted: dict[AssetName, Wish], now: datetime) -> None:
        """Give assets back that no event wants any more, or not as they are claimed still."""
        for asset, claim in list(self._claims.items()):
            wish = wanted.get(asset)
            wanted_still = wish is not None and wish.key == claim.wish.key
            if not wanted_still and (now >= claim.ends_at or await self._give_back(claim.wish)):
                del self._claims[asset]

    async def _give_back(self, wish: Wish) -> bool:
        arguments = {
            "power_kw": 0.0,
            "duration_min": STEP_MIN,
            "reason": f"OpenADR event {wish.event_id} no longer asks for this",
            "idempotency_key": f"{wish.key}/over",
        }
        try:
            answer = await call_tool(self._client, _tool(wish.asset, 0.0), arguments)
        except ToolCallError as error:
            logger.warning("%s was not given back: %s", wish.asset, error)
            return False
        return bool(answer["status"] == "accepted")

    async def _follow(self, wish: Wish, status: Answer, *, followed: bool) -> Response:
        """Ask for a wish, unless it acts already, waits, or was denied in this interval."""
        claim = self._claims.get(wish.asset)
        if claim is not None and claim.wish.key == wish.key:
            return claim.response
        interval, denial = self._denied_in.get(wish.key, ("", None))
        if denial is not None and interval == status["interval_start"]:
            return denial
        asked = self._asked_before(wish, status)
        if asked is not None and asked["state"] != "approved":
            state: ResponseState = "waiting" if asked["state"] == "pending" else "denied"
            return _response(wish, state, f"approval {asked['approval_id']} is {asked['state']}")
        return await self._ask(wish, self._arguments(wish, asked, status, followed=followed), status)

    def _asked_before(self, wish: Wish, status: Answer) -> Answer | None:
        """Our request for it on the operator's desk, which a process before this one may have made."""
        known = (self._subject, wish.asset, wish.reason)
        listed: Iterable[Answer] = status["approvals"]
        return next((e for e in listed if (e["requester"], e["asset"], e["reason"]) == known), None)

    def _arguments(
        self, wish: Wish, asked: Answer | None, status: Answer, *, followed: bool
    ) -> dict[str, Any]:
        """The call; where an operator approved one, that very call."""
        left = wish.until - moment(status["now"]) + (OVERLAP if followed else timedelta(0))
        steps = max(1, left // timedelta(minutes=STEP_MIN))
        return {
            "power_kw": abs(wish.power_kw if asked is None else asked["power_kw"]),
            "duration_min": steps * STEP_MIN if asked is None else asked["duration_min"],
            "reason": wish.reason,
            # What a halt withdrew had used its key up.
            "idempotency_key": f"{wish.key}{self._withdrawn_at}",
        }

    async def _ask(self, wish: Wish, arguments: dict[str, Any], status: Answer) -> Response:
        try:
            answer = await call_tool(self._client, _tool(wish.asset, wish.power_kw), arguments)
        except ToolCallError as error:
            response = _response(wish, "denied", str(error))
            self._denied_in[wish.key] = status["interval_start"], response
            return response
        acted_before = any(finding["rule"] == "idempotency_key" for finding in answer["findings"])
        if answer["status"] == "accepted" or acted_before:
            ends_at = wish.until if answer["expires_at"] is None else moment(answer["expires_at"])
            response = _response(wish, "accepted", answer["next_step"], answer["power_kw"])
            self._claims[wish.asset] = _Claim(wish, ends_at, response)
            return response
        if answer["status"] == "pending_approval":
            return _response(wish, "waiting", answer["next_step"])
        response = _response(wish, "denied", answer["next_step"])
        self._denied_in[wish.key] = status["interval_start"], response
        return response

    async def _tell(self, responses: list[Response]) -> tuple[Response, ...]:
        """Report what is new; what the VTN does not take is told again at the next look."""
        new = [one for one in responses if self._told.get((one.event_id, one.number, one.asset)) != one]
        for _, group in groupby(sorted(new, key=lambda one: one.event_id), key=lambda one: one.event_id):
            of_event = tuple(group)
            try:
                await to_thread.run_sync(self._vtn.report, of_event)
            except VtnError as error:
                logger.warning("no report: %s", error)
                continue
            self._told |= {(one.event_id, one.number, one.asset): one for one in of_event}
        return tuple(new)


def _withdrawn(status: Answer) -> bool:
    """Whether a halt, or the watchdog, has withdrawn whatever was live."""
    supervisor = status["supervisor"]
    return bool(status["halted"] or (supervisor is not None and supervisor["alarm"] is not None))


def _tool(asset: AssetName, power_kw: float) -> str:
    if asset == "peaker":
        return "dispatch_peaker"
    return "charge_battery" if power_kw < 0 else "discharge_battery"


def _response(wish: Wish, state: ResponseState, detail: str, power_kw: float | None = None) -> Response:
    return Response(wish.event_id, wish.number, wish.asset, state, power_kw, detail)
