"""What can go wrong in a tool. The text reaches the agent: it names field, value and fix."""


class ToolInputError(ValueError):
    """An argument cannot be used; the caller can correct it and call again."""


class ToolUnavailableError(RuntimeError):
    """The tool cannot answer now (nothing measured yet, stale forecast); the text says what to do."""


class ToolDefinitionError(TypeError):
    """A plugin's :class:`smartgrid.plugin.Tool` breaks the contract; its author has to fix it."""


class PluginTimeoutError(RuntimeError):
    """A plugin did not load in time; the text names its module."""


class ToolScopeError(PermissionError):
    """The connection's principal lacks the scope that the tool needs."""
