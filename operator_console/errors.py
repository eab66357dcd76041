"""What can go wrong in the console."""


class SourceError(RuntimeError):
    """The ledger or the series store cannot be read now, so nothing may be shown as live.

    The message says which one, why, and what to look for; the page shows it.
    """


class DeskError(RuntimeError):
    """What the operator asked for was refused; the message says why, and the page shows it."""
