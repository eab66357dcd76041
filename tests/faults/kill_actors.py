"""Who acts while processes die: a client that repeats its calls, and an operator who approves them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx2
from mcp import Client, MCPError
from sqlalchemy import select

from dispatch.approvals import Approvals
from dispatch.errors import DispatchError
from dispatch.ledger import Ledger
from dispatch.plant_clock import LedgerClock
from dispatch.schema import dispatches
from policies.principal import operator_principal

AGAIN_S = 0.05
ENOUGH_TRIES = 2000
"""What has not come by then does not come: no server is away for so long."""
SERVER_AWAY = (httpx2.HTTPError, MCPError, OSError, TimeoutError)
INTERVAL_S = 3.5
"""A market interval at the pace of this test, and a little."""
LEAVES_IT_TO_THE_LOOPS = 0.3
RELEASE_MIN = 1.0
OVER = ("accepted", "denied")
IN_FORCE = ("APPLIED", "RECONCILED")


def tries(what: str) -> Iterator[int]:
    """Enough of them, a little apart.

    Raises:
        AssertionError: after the last one.
    """
    for number in range(ENOUGH_TRIES):
        yield number
        threading.Event().wait(AGAIN_S)
    raise AssertionError(f"{what} never came")


@dataclass(frozen=True)
class Acknowledged:
    """A proposal of which the client was told that it is accepted."""

    key: str
    proposal_id: str
    tool: str


class Person:
    """Asks for dispatches over HTTP, one after the other, each with a key and until there is an answer.

    Args:
        url: of the server, which may be dead now.
        ledger: to see whether what was accepted is carried out.
        random: what it asks for.
    """

    def __init__(self, url: str, ledger: Ledger, random: Random) -> None:
        self._url, self._ledger, self._random = url, ledger, random
        self._count = 0
        self.acknowledged: list[Acknowledged] = []
        self.denied = 0
        self.waited = 0
        self.errors = 0

    def act(self, going_on: Callable[[], bool]) -> None:
        """Ask until told to stop; what was begun is brought to its end."""
        while going_on():
            power_kw = round(self._random.uniform(100.0, 1500.0), 3)
            tools = ("discharge_battery", "charge_battery", "dispatch_peaker")
            (tool,) = self._random.choices(tools, weights=(3, 3, 1))
            self.ask(tool, power_kw)
            if self._random.random() < LEAVES_IT_TO_THE_LOOPS:
                self.ask("discharge_battery", 0.0, RELEASE_MIN, must=False)
                threading.Event().wait(INTERVAL_S)

    def ask(self, tool: str, power_kw: float, minutes: float = 240.0, *, must: bool = True) -> None:
        """One request, until it is answered, and carried out where it ``must`` be.

        It asks for hours: one that ends in minutes may do so while no server is there to carry it out.
        """
        self._count += 1
        key = f"request-{self._count}"
        arguments = {
            "power_kw": power_kw,
            "duration_min": minutes,
            "reason": "a day with faults",
            "idempotency_key": key,
        }
        pending = False
        for _ in tries(f"an answer to {arguments}"):
            answer = asyncio.run(self._answer(tool, arguments))
            if answer is not None and answer["status"] in OVER:
                break
            self.errors += answer is None
            self.waited += answer is not None and not pending
            pending = pending or answer is not None
        assert answer is not None
        if answer["status"] == "denied":
            self.denied += 1
        elif must:
            self.acknowledged.append(Acknowledged(key, answer["proposal_id"], tool))
            for _ in tries(f"a dispatch of proposal {answer['proposal_id']}"):
                if self.executed(answer["proposal_id"]):
                    break

    async def _answer(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """The tool's answer; None where the server is away or dies with the call."""
        answer: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(10), Client(self._url) as client:
                result = await client.call_tool(tool, arguments)
                answer = None if result.is_error else result.structured_content
        except* SERVER_AWAY:
            pass
        return answer

    def executed(self, proposal_id: str) -> bool:
        """Whether a dispatch of it reached the devices."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                select(dispatches.c.battery_proposals, dispatches.c.peaker_proposals).where(
                    dispatches.c.state.in_(IN_FORCE)
                )
            )
            return any(proposal_id in (*row.battery_proposals, *row.peaker_proposals) for row in rows)


class Operator:
    """Approves whatever waits, through the ledger, as the command line does."""

    def __init__(self, ledger: Ledger, clock: LedgerClock) -> None:
        self._desk = Approvals(ledger, clock, require_two_people=False)
        self.approved = 0

    def act(self, going_on: Callable[[], bool]) -> None:
        """Look for requests until told to stop."""
        while going_on():
            for waiting in self._desk.list("PENDING"):
                try:
                    self._desk.approve(waiting.approval_id, operator_principal("ben"), "as planned")
                    self.approved += 1
                except DispatchError:  # it has expired meanwhile
                    continue
            threading.Event().wait(AGAIN_S)
