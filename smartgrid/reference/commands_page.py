"""The reference of the command line."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from smartgrid.cli import app
from smartgrid.reference.markdown import code, page, table

INTRODUCTION = """
`smartgrid --help` and `smartgrid COMMAND --help` show the same.

## Exit codes

- **0**: done. A role that was told to stop (Ctrl-C, SIGTERM) and ended in order leaves with 0 too.
- **1**: something that you can mend; one line on standard error says what and how (`error: …`). Also a check
  that found a fault (`doctor`, `audit verify`, `knowledge verify`), and files that could not be fetched or
  read. A traceback is a defect of the program: please report it.
- **2**: the command line was not understood: an unknown command or option, one that is missing, a value of
  another type. A group of commands without a command shows its help and leaves with 2.

Answers go to standard output, everything else to standard error. With `--json` standard output is one JSON
document (`approvals watch`: one a line); what is not known is null.
"""


def commands_page() -> str:
    """Every command, with its arguments and options."""
    command = get_command(app)
    return page(
        "Command line", INTRODUCTION, *_command(command, typer.Context(command, info_name="smartgrid"))
    )


def _command(command: Any, context: typer.Context) -> Iterator[str]:
    """A command and those below it; typer's own copy of click has no types."""
    inside = getattr(command, "commands", {})
    if context.parent is not None:
        yield f"{'##' if inside or context.parent.parent is None else '###'} {context.command_path}"
        yield command.help or ""
    if inside:
        for name, below in inside.items():
            yield from _command(below, typer.Context(below, info_name=name, parent=context))
        return
    yield f"```text\n{' '.join((context.command_path, *command.collect_usage_pieces(context)))}\n```"
    told = [parameter.get_help_record(context) for parameter in command.params]
    if told:
        yield table(("argument or option", ""), ((code(names), text) for names, text in told))
