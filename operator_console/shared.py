"""What several pages show is read once for all of them."""

from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class SharedReading(Generic[T]):
    """A reading that holds until the ledger's audit has grown: nothing changes without an entry there.

    Args:
        read: slow; runs in a thread.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._lock = anyio.Lock()
        self._kept: tuple[int, T] | None = None

    async def at(self, entries: int) -> T:
        """The reading at so many entries of the audit; raises what the reading raises."""
        async with self._lock:
            if self._kept is None or self._kept[0] != entries:
                self._kept = entries, await anyio.to_thread.run_sync(self._read)
            return self._kept[1]
