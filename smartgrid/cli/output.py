"""How commands speak: one line for an error, JSON for programs, text for people."""

import json
import sys
from typing import Any, NoReturn

from rich.console import Console

from smartgrid.report.json_text import finite

PIPED_WIDTH = 130
"""Columns where there is no terminal whose width could be asked for."""

console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True)


def user_errors() -> tuple[type[Exception], ...]:
    """The errors that tell the user what to do; anything else is a defect and shows its traceback."""
    from dispatch.errors import DispatchError
    from grid.errors import GridError
    from grid.units import UnitsError
    from grid_supervisor.errors import SupervisorError
    from knowledge.errors import KnowledgeError
    from mcp_server.errors import ServeError
    from pipeline.errors import PipelineError
    from policies.errors import PolicyError
    from smartgrid.errors import SmartGridError

    return (
        SmartGridError,
        GridError,
        UnitsError,
        PipelineError,
        PolicyError,
        DispatchError,
        SupervisorError,
        ServeError,
        KnowledgeError,
    )


def leaves(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """The texts of all errors in a group."""
    return [
        text
        for error in group.exceptions
        for text in (leaves(error) if isinstance(error, BaseExceptionGroup) else [str(error)])
    ]


def fail(message: str) -> NoReturn:
    """Print an error and leave with exit code 1."""
    errors.print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


def print_json(document: Any) -> None:
    """Print a document as JSON on standard output; NaN becomes null."""
    sys.stdout.write(json.dumps(finite(document), indent=2) + "\n")
