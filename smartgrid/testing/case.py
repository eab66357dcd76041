"""A tool under test, the grids that it is asked on, and one call of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispatch.errors import DispatchError
from pipeline.errors import PipelineError
from smartgrid.testing.attending import Attended, attend
from smartgrid.testing.small_grid import SmallGrid
from smartgrid.testing.witnesses import DeskWitness, ReaderWitness
from tools.contract import Tool, ToolCall
from tools.errors import ToolInputError, ToolUnavailableError

CLEAR = (ToolInputError, ToolUnavailableError, PipelineError, DispatchError)
"""What a tool may raise: the caller reads its text. Of anything else it learns nothing."""


@dataclass(frozen=True)
class Case:
    """What the checks look at.

    Attributes:
        tool: under test.
        example: arguments that it has an answer to.
        fresh: a grid after two hours of running.
        later: the same, half an hour later.
        stale: the same, where nothing has come in for six hours.
        empty: a grid where nothing was measured yet.
        examples: how many arguments are made up.
    """

    tool: Tool
    example: Mapping[str, Any]
    fresh: SmallGrid
    later: SmallGrid
    stale: SmallGrid
    empty: SmallGrid
    examples: int


@dataclass(frozen=True)
class Called:
    """A call and what the tool did meanwhile."""

    arguments: Mapping[str, Any]
    result: Attended
    proposed: Sequence[Mapping[str, Any]]
    halts: Sequence[str]
    asked: set[str]

    @property
    def problem(self) -> str | None:
        """What no call may do, whatever it was asked; None where all is well."""
        call, error = f"called with {dict(self.arguments)!r} it", self.result.error
        if self.result.hung:
            return f"{call} did not end; limit what it waits for"
        if self.result.blocked:
            return f"{call} held up the event loop; await, or work in asyncio.to_thread"
        if error is None or (isinstance(error, CLEAR) and 10 <= len(str(error)) <= 1000):
            return None
        if isinstance(error, CLEAR):
            return f"{call} failed with {str(error)!r}; say field, value and fix in a sentence or two"
        return (
            f"{call} raised {type(error).__name__}: {error};"
            " raise ToolInputError where the caller can mend it, ToolUnavailableError where it must wait"
        )


def call(case: Case, grid: SmallGrid, arguments: Mapping[str, Any], *, broken_store: bool = False) -> Called:
    """Call the tool as the function that it is; its proposals are remembered and not carried out.

    Raises:
        ValidationError: where its input model refuses the arguments.
    """
    tool = case.tool
    request = tool.input_model.model_validate(dict(arguments))
    real = grid.context(tool, arguments)
    reader, desk = ReaderWitness(real.reader, broken=broken_store), DeskWitness(real.desk)
    # As one that acts: what a tool that reads would propose, if it could, is to be seen too.
    context = replace(real, reader=reader, desk=desk, call=ToolCall(tool.name, "act", arguments))
    result = attend(lambda: tool.run(request, context))
    return Called(arguments, result, desk.proposed, desk.halts, reader.asked)
