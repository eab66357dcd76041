"""Whether the loop of a role still comes round: told by it, asked by a server in another thread."""

import time
from collections.abc import Callable
from typing import Final

READY_WITHIN_S: Final = 60.0
"""A step of the supervisor's loops calls a few tools; one that takes longer waits for something."""


class LoopWatch:
    """Tells a probe how a role does that has no server of its own.

    Args:
        problem: what else keeps the role from its work, or None; asked at every probe.
        now_s: a steady clock in seconds.
    """

    def __init__(
        self,
        problem: Callable[[], str | None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._problem = problem
        self._now_s = now_s
        self._came_round_s: float | None = None

    def came_round(self) -> None:
        """Take that the loop is at its beginning again."""
        self._came_round_s = self._now_s()

    def unready(self) -> list[str]:
        """Why the role cannot do its work now; empty when it can."""
        if self._came_round_s is None:
            return ["the loop has not come round yet"]
        reasons = []
        silent_s = self._now_s() - self._came_round_s
        if silent_s > READY_WITHIN_S:
            reasons.append(
                f"the loop has not come round for {silent_s:.0f} s, allowed {READY_WITHIN_S:.0f} s"
            )
        problem = self._problem()
        return reasons if problem is None else [*reasons, problem]
