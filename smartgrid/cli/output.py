"""How commands speak: one line for an error, JSON for programs, text for people."""

import json
import math
import sys
from typing import Any, NoReturn

from rich.console import Console

console = Console()
errors = Console(stderr=True)


def user_errors() -> tuple[type[Exception], ...]:
    """The errors that tell the user what to do; anything else is a defect and shows its traceback."""
    from dispatch.errors import DispatchError
    from grid.errors import GridError
    from grid.units import UnitsError
    from pipeline.errors import PipelineError
    from policies.errors import PolicyError
    from smartgrid.errors import SmartGridError

    return SmartGridError, GridError, UnitsError, PipelineError, PolicyError, DispatchError


def fail(message: str) -> NoReturn:
    """Print an error and leave with exit code 1."""
    errors.print(f"error: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


def print_json(document: Any) -> None:
    """Print a document as JSON on standard output; NaN becomes null."""
    sys.stdout.write(json.dumps(finite(document), indent=2) + "\n")


def finite(value: Any) -> Any:
    """The same document with NaN and infinities as None, which JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
