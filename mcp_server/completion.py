"""Completion of arguments of prompts and of resource addresses."""

from collections.abc import Callable, Mapping, Sequence

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, CompleteRequestParams, CompleteResult, Completion

from mcp_server.calls import TOLD

MOST_VALUES = 100
"""The protocol's own limit."""

Source = Callable[[], Sequence[str]]


class Completer:
    """Completes an argument by its name, wherever it stands: in a prompt or in an address.

    Args:
        sources: the values there are, by the name of the argument.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    async def complete(
        self,
        ctx: ServerRequestContext[None],  # noqa: ARG002  the SDK's signature
        params: CompleteRequestParams,
    ) -> CompleteResult:
        """Serve ``completion/complete``: values that begin as what was typed, in any case."""
        begun = params.argument.value.casefold()
        found = [value for value in self._known(params.argument.name) if value.casefold().startswith(begun)]
        shown = found[:MOST_VALUES]
        return CompleteResult(
            completion=Completion(values=shown, total=len(found), has_more=len(found) > len(shown))
        )

    def _known(self, argument: str) -> Sequence[str]:
        source = self._sources.get(argument)
        if source is None:
            return ()
        try:
            return source()
        except TOLD as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from error
