"""The supervisor: its loops, in the order of their rank, tick after tick."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from mcp import Client

from grid_supervisor.calls import Reads
from grid_supervisor.errors import SupervisorError
from grid_supervisor.loop import Loop, Policy
from grid_supervisor.results import TickResult
from policies import response, trading
from policies.view import Decision, GridView


def _trade(view: GridView) -> Sequence[Decision]:
    decision = trading.decide(view)
    return () if decision is None else (decision,)


POLICIES: Mapping[str, Policy] = {"response": response.decide, "trading": _trade}
"""The loops by name, the higher priority first."""


class Supervisor:
    """Runs the loops over their own connections, each with its own principal.

    Args:
        clients: an open MCP client for each loop to run, by the names of :data:`POLICIES`.
        saver: keeps the threads of pending requests.
        settles_at: when the accounts close and stored energy is settled; None without an end.
        shadow: whether the loops only say what they would do.

    Raises:
        SupervisorError: for a loop that does not exist.
    """

    def __init__(
        self,
        clients: Mapping[str, Client],
        saver: BaseCheckpointSaver[Any],
        settles_at: datetime | None = None,
        *,
        shadow: bool = False,
    ) -> None:
        unknown = sorted(set(clients) - set(POLICIES))
        if unknown:
            raise SupervisorError(f"no loop {unknown[0]!r}; choose from: {', '.join(POLICIES)}")
        self._loops = [
            Loop(name, policy, clients[name], saver, settles_at, shadow=shadow)
            for name, policy in POLICIES.items()
            if name in clients
        ]

    async def tick(self) -> TickResult:
        """Let each loop act once on the coming interval.

        What a loop proposes moves nothing before the plant's owner acts, so they share what they read.
        """
        reads = Reads()
        return TickResult(tuple([await loop.tick(reads) for loop in self._loops]))
