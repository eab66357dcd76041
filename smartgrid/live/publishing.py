"""The live role: asks, sends, tells, waits, until it is told to stop."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event
from typing import Protocol

from grid.telemetry import Telemetry
from smartgrid.live.errors import StoppedError
from smartgrid.live.journal import Journal
from smartgrid.live.source import Poll

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 300.0


class Polled(Protocol):
    """As :class:`smartgrid.live.source.LiveSource`."""

    def poll(self, now: datetime, /) -> Poll:
        """Ask whatever is due."""
        ...

    def next_due(self) -> datetime:
        """When the next question is due."""
        ...


def run_live(
    source: Polled,
    publish: Callable[[Sequence[Telemetry]], None],
    journal: Journal,
    stopped: Event,
    now: Callable[[], datetime],
) -> Counter[str]:
    """Publish what an area's operator publishes, until ``stopped`` is set.

    Args:
        source: of the pulses.
        publish: takes those of one round; returns once they are delivered.
        journal: takes what is late, revised or refused.
        stopped: looked at between rounds, and while an answer is awaited.
        now: the wall clock.

    Returns:
        How many pulses were ``published``, and how many remarks of each kind there were.

    Raises:
        LiveError: if live data cannot go on.
        DeliveryError: if ``publish`` raises it.
    """
    counts: Counter[str] = Counter(published=0, late=0, revised=0)
    while not stopped.is_set():
        try:
            poll = source.poll(now())
        except StoppedError:
            break
        publish(poll.pulses)
        journal.write(poll.remarks, now())
        counts.update(published=len(poll.pulses))
        counts.update(remark.kind for remark in poll.remarks)
        _log(poll, counts)
        wait_s = (source.next_due() - now()).total_seconds()
        stopped.wait(min(max(wait_s, 0.0), LONGEST_WAIT_S))
    return counts


def _log(poll: Poll, counts: Counter[str]) -> None:
    for problem in poll.problems:
        logger.warning("%s", problem)
    if poll.remarks:
        kinds = Counter(remark.kind for remark in poll.remarks)
        logger.warning("in the journal: %s", ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    if poll.pulses:
        newest = poll.pulses[-1].ts_utc.isoformat()
        logger.info("%d published, up to %s; %s", len(poll.pulses), newest, dict(counts))
