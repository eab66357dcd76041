"""What can go wrong before a decision is made: limits that cannot be used."""


class LimitsError(ValueError):
    """The limits file cannot be used; the message names the file, the field, its value and the fix."""
