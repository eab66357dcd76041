"""What can go wrong before a decision is made."""


class PolicyError(ValueError):
    """Any error of this package."""


class LimitsError(PolicyError):
    """The limits file cannot be used; the message names the file, the field, its value and the fix."""
