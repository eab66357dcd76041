"""Options of the roles that serve tools to clients."""

from typing import Annotated

import typer

ToolsetsOption = Annotated[
    str | None,
    typer.Option("--toolsets", help="Sets of tools to offer, such as grid,market (all by default)."),
]
ToolsOption = Annotated[
    str | None, typer.Option("--tools", help="Single tools to offer, beside those of --toolsets.")
]
ReadOnlyOption = Annotated[
    bool | None, typer.Option("--read-only", help="Offer no tool that acts, whatever else is chosen.")
]
