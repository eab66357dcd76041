"""What can go wrong before a decision is made."""


class PolicyError(ValueError):
    """Any error of this package."""


class LimitsError(PolicyError):
    """The limits file cannot be used; the message names the file, the field, its value and the fix."""


class PlanError(PolicyError):
    """No plan could be made of a view; its numbers are not finite, or contradict each other."""
