"""What can go wrong when serving."""


class ServeError(ValueError):
    """The server cannot be offered as asked; the text names the setting and the fix."""
