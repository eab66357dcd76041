"""Stand-ins behind a tool's context that pass on what it asks for and remember what that was."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from dispatch.flags import Halt
from dispatch.service import DispatchOutcome
from knowledge.index import Passage
from pipeline.errors import StoreError
from policies.principal import Principal
from smartgrid.testing.small_grid import NOW, SmallGrid
from tools.contract import DeskView


class ReaderWitness:
    """Passes reads on to a store.

    Attributes:
        asked: the names of the methods that were called.
    """

    def __init__(self, reader: object, *, broken: bool = False) -> None:
        self._reader = reader
        self._broken = broken
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        if self._broken:
            raise StoreError("path=telemetry.db: cannot be read; look for missing rights or a damaged file")
        return getattr(self._reader, name)


class DeskWitness:
    """Shows a desk, and takes proposals and halts without carrying any out.

    Attributes:
        proposed: what was proposed, by field.
        halts: the reasons for which the autonomy would have been halted.
    """

    def __init__(self, desk: DeskView) -> None:
        self._desk = desk
        self.proposed: list[dict[str, Any]] = []
        self.halts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def propose(self, **fields: Any) -> DispatchOutcome:
        """Remember a proposal and deny it."""
        self.proposed.append(fields)
        return DispatchOutcome("denied", None, (), None, None, None, "denied by the conformance kit")

    def halt(self, principal: Principal, reason: str) -> tuple[Halt, bool]:
        """Remember a halt."""
        self.halts.append(reason)
        return Halt(principal.subject, NOW, reason), True


class OnePassage:
    """An index that knows a single passage, which answers every question."""

    def search(
        self,
        question: str,  # noqa: ARG002  the protocol's
        top: int = 5,
        *,
        rephrasings: Sequence[str] = (),  # noqa: ARG002
        document: str | None = None,  # noqa: ARG002
    ) -> list[Passage]:
        """The passage."""
        text = "Each Balancing Authority shall maintain its Frequency Bias Setting."
        found = Passage("made-up.pdf", (3,), "BAL-003-2 R1, p. 3", 0.9, text, "BAL-003-2", "R1")
        return [found][:top]


@contextmanager
def watched_files(grid: SmallGrid) -> Iterator[list[str]]:
    """Names, once left, of a grid's files into which anything was written meanwhile."""
    written: list[str] = []
    with ExitStack() as stack:
        watchers = {
            name: stack.enter_context(closing(sqlite3.connect(grid.state_dir / name)))
            for name in ("ledger.db", "telemetry.db")
        }
        before = {name: _version(watcher) for name, watcher in watchers.items()}
        yield written
        written += [name for name, watcher in watchers.items() if _version(watcher) != before[name]]


def _version(watcher: sqlite3.Connection) -> int:
    """Changes whenever another connection has committed a change."""
    return int(watcher.execute("PRAGMA data_version").fetchone()[0])
