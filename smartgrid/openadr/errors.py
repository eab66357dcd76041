"""What can go wrong between us and a VTN."""

from smartgrid.errors import SmartGridError


class VtnError(SmartGridError):
    """The VTN cannot be reached, refuses, or answers with what cannot be used; the text says what to do."""
