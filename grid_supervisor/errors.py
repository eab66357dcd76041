"""What can go wrong when the supervisor calls a tool."""


class ToolCallError(RuntimeError):
    """A tool refused or failed; the text is what the server said. The loop does nothing this tick."""


class SupervisorError(ValueError):
    """The supervisor cannot run as asked; the text names the argument and the fix."""
