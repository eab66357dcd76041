"""What is watched of a running stream: its metrics, and whether it is ready."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from pipeline.engine import BatchReport
from pipeline.transport import Transport
from smartgrid.observability import StreamMetrics

READY_WITHIN_S = 30.0
"""A round that takes longer waits for something: the broker, or the store."""


@runtime_checkable
class Lagging(Protocol):
    """A transport whose log has an end that it may be behind."""

    def lag(self) -> Mapping[int, int]:
        """By partition that is read here, the records behind the log's end; asks nobody."""
        ...


class StreamWatch:
    """Told after every round of the stream's loop; asked by a server in another thread.

    Args:
        metrics: counts the rounds.
        store_problem: why the store takes no writes, or None.
        now_s: a steady clock in seconds.
    """

    def __init__(
        self,
        metrics: StreamMetrics,
        store_problem: Callable[[], str | None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._store_problem = store_problem
        self._now_s = now_s
        self._done_at_s: float | None = None
        self._partitions: int | None = None

    def round_done(self, report: BatchReport, seconds: float, transport: Transport) -> None:
        """Take what a round did, how many seconds it took, and what is read now."""
        self._metrics.count(report, seconds)
        if isinstance(transport, Lagging):
            lag = transport.lag()
            self._metrics.assigned(lag)
            self._partitions = len(lag)
        self._done_at_s = self._now_s()

    def unready(self) -> list[str]:
        """Why the stream cannot serve now; empty when it can."""
        if self._done_at_s is None:
            return ["no batch is finished yet"]
        reasons = []
        silent_s = self._now_s() - self._done_at_s
        if silent_s > READY_WITHIN_S:
            reasons.append(f"no batch was finished for {silent_s:.0f} s, allowed {READY_WITHIN_S:.0f} s")
        if self._partitions == 0:
            reasons.append("no partition is read here: the broker is away, or the group has members to spare")
        problem = self._store_problem()
        return reasons if problem is None else [*reasons, problem]
