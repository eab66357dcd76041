"""Which requests for approval are new: for those who tell a person of them."""

from collections.abc import Callable, Sequence

from dispatch.approvals import Approval


class NewRequests:
    """Remembers what was told already.

    Args:
        pending: the requests that wait now, oldest first.
    """

    def __init__(self, pending: Callable[[], Sequence[Approval]]) -> None:
        self._pending = pending
        self._told = 0

    def take(self) -> list[Approval]:
        """Those that were not taken yet, oldest first; on the first call all that wait."""
        fresh = [asked for asked in self._pending() if int(asked.approval_id) > self._told]
        self._told = max([self._told, *(int(asked.approval_id) for asked in fresh)])
        return fresh
