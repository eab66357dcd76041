"""What fails an invocation on purpose."""

from smartgrid.errors import SmartGridError


class OutOfTimeError(SmartGridError):
    """More is to be read than an invocation has time for; what is done is done, and the retry goes on."""
