"""What can go wrong on the way to a dispatch."""


class DispatchError(RuntimeError):
    """Base of this package's errors."""


class LedgerError(DispatchError):
    """The ledger cannot be opened, read or written; the message names it and the fix."""


class NoLedgerError(LedgerError):
    """There is no ledger where one was expected: start a plant, or correct the state or the URL."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: no plant has run here yet; start one: smartgrid up")


class ForbiddenError(DispatchError):
    """The principal may not do this; the message names the scope that is missing."""


class ApprovalError(DispatchError):
    """An approval cannot be decided: unknown, expired, already decided, or by its own requester."""


class LeaseLostError(DispatchError):
    """Another process owns the plant's drivers; stop ticking and join it instead."""
