"""What can go wrong on the way to a dispatch."""


class DispatchError(RuntimeError):
    """Base of this package's errors."""


class LedgerError(DispatchError):
    """The ledger cannot be opened or read; the message names the file and the fix."""


class ForbiddenError(DispatchError):
    """The principal may not do this; the message names the scope that is missing."""


class ApprovalError(DispatchError):
    """An approval cannot be decided: unknown, expired, already decided, or by its own requester."""


class LeaseLostError(DispatchError):
    """Another process owns the plant's drivers; stop ticking and join it instead."""
