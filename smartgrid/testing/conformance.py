"""The conformance check: one call that tells a plugin's author all that is wrong with a tool."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from knowledge.index import Index
from smartgrid.testing import behaviour_checks as behaviour
from smartgrid.testing import definition_checks as definition
from smartgrid.testing import server_checks as server
from smartgrid.testing.case import Case
from smartgrid.testing.small_grid import SmallGrid
from smartgrid.testing.witnesses import OnePassage
from tools.contract import Tool

Check = Callable[[Case], Iterator[str]]

SIX_HOURS_S: Final = 6 * 3600.0

CHECKS: Final[tuple[Check, ...]] = (
    definition.description_is_short,
    definition.definition_is_constant,
    definition.schemas_are_valid_and_flat,
    behaviour.example_is_answered,
    behaviour.unknown_sites_are_named,
    behaviour.old_data_does_not_look_live,
    behaviour.a_broken_store_is_no_answer,
    behaviour.reading_changes_nothing,
    behaviour.proposals_follow_from_the_arguments,
    server.clients_see_honest_hints,
    server.callers_without_its_scope_are_refused,
    behaviour.made_up_arguments_are_answered_or_refused,
)
"""In the order of their running; ``docs/plugins.md`` says what each asks for."""


class ConformanceError(AssertionError):
    """A tool does not keep the contract; the text lists each failed check and what to change.

    Attributes:
        failed: the names of the checks.
    """

    def __init__(self, tool: str, problems: list[tuple[str, str]]) -> None:
        self.failed = [name for name, _problem in problems]
        lines = "\n".join(f"- {name}: {problem}" for name, problem in problems)
        super().__init__(f"tool {tool!r} does not keep the contract:\n{lines}")


def check_tool(
    tool: Tool,
    example: Mapping[str, Any] | None = None,
    *,
    knowledge: Index | None = None,
    prepare: Callable[[SmallGrid], object] | None = None,
    examples: int = 50,
) -> None:
    """Run every check on a tool, on small grids of its own.

    Args:
        tool: as its entry point names it.
        example: arguments of a call that has an answer on a grid whose clock stands at
            :data:`smartgrid.testing.NOW`; none when None.
        knowledge: the documents that the tool finds; one made-up passage when None.
        prepare: brings each grid that was started into the state that the example needs.
        examples: how many arguments are made up.

    Raises:
        ConformanceError: with everything that is wrong.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="smartgrid-check-")))
        index = knowledge or OnePassage()
        fresh, later, stale, empty = (
            stack.enter_context(SmallGrid(directory / name, knowledge=index, tools=[tool]))
            for name in ("fresh", "later", "stale", "empty")
        )
        for grid in (fresh, later, stale):
            grid.start()
            if prepare is not None:
                prepare(grid)
        later.advance(6)
        stale.clock.advance(SIX_HOURS_S)
        case = Case(tool, example or {}, fresh, later, stale, empty, examples)
        problems = _found(case)
    if problems:
        raise ConformanceError(tool.name, problems)


def _found(case: Case) -> list[tuple[str, str]]:
    """What each check finds; no further ones where the schemas or the example cannot be used."""
    problems: list[tuple[str, str]] = []
    for check in CHECKS:
        found = [(check.__name__, problem) for problem in check(case)]
        problems += found
        if found and check in {definition.schemas_are_valid_and_flat, behaviour.example_is_answered}:
            break
    return problems
