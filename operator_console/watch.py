"""Looks at store and ledger once for all open pages, and tells them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.to_thread

from operator_console.errors import SourceError
from operator_console.snapshot import Snapshot, snapshot
from operator_console.source import ConsoleSource

LOOK_S: Final = 1.0
ANSWER_WITHIN_S: Final = 5.0
"""A locked ledger may wait far longer; until then the page would look live."""


@dataclass(frozen=True, slots=True)
class View:
    """What the pages show.

    Attributes:
        seen: the last that could be read; None before the first.
        problem: why it is not live; None while it is.
    """

    seen: Snapshot | None
    problem: str | None


class Watch:
    """One look a second while somebody looks on.

    Args:
        source: what is read.
        watched: whether any page is open.
        tell: takes each view.
        look_s: between two looks, in s of wall time.
        clock_s: a steady clock, in s.
    """

    def __init__(
        self,
        source: ConsoleSource,
        watched: Callable[[], bool],
        tell: Callable[[View], None],
        *,
        look_s: float = LOOK_S,
        clock_s: Callable[[], float],
    ) -> None:
        self._source = source
        self._watched = watched
        self._tell = tell
        self._look_s = look_s
        self._clock_s = clock_s
        self._looked_at_s = float("-inf")
        self._view = View(None, None)

    async def run(self) -> None:
        """Look and tell, until cancelled."""
        while True:
            if self._watched():
                await self.tell_now()
            await anyio.sleep(self._look_s)

    async def tell_now(self) -> None:
        """Look, and tell all pages."""
        self._tell(await self.look())

    async def fresh(self) -> View:
        """The last view, or a new one where nobody looked for a while."""
        recent = self._clock_s() - self._looked_at_s < 2 * self._look_s
        return self._view if recent else await self.look()

    async def look(self) -> View:
        """A new view; one that could not be read keeps what was seen before, and says why it is not live."""
        before = self._view.seen
        try:
            with anyio.fail_after(ANSWER_WITHIN_S):
                seen = await anyio.to_thread.run_sync(snapshot, self._source, before, abandon_on_cancel=True)
            self._view = View(seen, None)
        except SourceError as error:
            self._view = View(before, str(error))
        except TimeoutError:
            problem = f"ledger and series store did not answer within {ANSWER_WITHIN_S:.0f} s"
            self._view = View(before, f"{problem}; look for a process that holds one of them")
        self._looked_at_s = self._clock_s()
        return self._view
