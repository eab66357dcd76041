"""What a server offers of the tools that are installed, and how long a call may take."""

from collections.abc import Iterable
from dataclasses import dataclass

from mcp_server.errors import ServeError
from tools.contract import Tool

TOOL_TIMEOUT_S = 30.0
"""Less than clients wait for an answer."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A choice among the tools, for every caller alike; scopes narrow it further.

    Attributes:
        toolsets: tools of these sets; None for no choice by sets.
        tools: tools of these names, in addition to those of ``toolsets``; None for no choice by names.
            All are chosen where both are None.
        read_only: leave out every tool that acts, whatever was chosen.
        tool_timeout_s: seconds that a call may take.
        watch_s: seconds between looks for what changed, which subscribers are told; None for none.
    """

    toolsets: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    read_only: bool = False
    tool_timeout_s: float = TOOL_TIMEOUT_S
    watch_s: float | None = None

    def chosen(self, installed: Iterable[Tool]) -> list[Tool]:
        """The tools that are offered, in the order in which they came.

        Raises:
            ServeError: for a toolset or a tool that is not installed, naming those that are.
        """
        known = list(installed)
        _require_known("toolsets", self.toolsets, {tool.toolset for tool in known})
        _require_known("tools", self.tools, {tool.name for tool in known})
        everything = self.toolsets is None and self.tools is None
        return [
            tool
            for tool in known
            if (everything or tool.toolset in (self.toolsets or ()) or tool.name in (self.tools or ()))
            and not (self.read_only and tool.effect != "read")
        ]


EVERYTHING = Offer()


def _require_known(option: str, named: Iterable[str] | None, known: set[str]) -> None:
    for name in named or ():
        if name not in known:
            raise ServeError(f"{option}={name!r} is not known; use one of: {', '.join(sorted(known))}")
