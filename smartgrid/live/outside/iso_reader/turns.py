"""Requests to one host keep their distance."""

import time
from collections.abc import Callable


class Turns:
    """Who may ask when.

    Args:
        gap_s: seconds between two requests to one host.
        clock: seconds, never set back.
        sleep: waits so many of them.
    """

    def __init__(
        self,
        gap_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._gap_s = gap_s
        self._clock = clock
        self._sleep = sleep
        self._next: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Return when a host may be asked."""
        wait_s = self._next.get(host, 0.0) - self._clock()
        if wait_s > 0:
            self._sleep(wait_s)
        self._next[host] = self._clock() + self._gap_s
