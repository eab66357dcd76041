"""The ``smartgrid`` command. Each subcommand lives in the module of its name."""

import logging
import os
import sys

# One thread per numeric library: small batches are slower, not faster, on more of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer

from smartgrid.cli import approvals, audit, backtest, bench, demo, doctor, halt, mcp, supervise, train, up
from smartgrid.cli.output import fail, user_errors

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Watch a grid area, forecast its net load, keep it stable and trade its battery, behind guardrails.",
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("mcp")(mcp.mcp)
app.command("supervise")(supervise.supervise)
app.command("train")(train.train)
app.command("doctor")(doctor.doctor)
app.command("halt")(halt.halt)
app.command("resume")(halt.resume)
app.add_typer(approvals.app, name="approvals")
app.add_typer(audit.app, name="audit")
app.add_typer(backtest.app, name="backtest")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line; what the user can mend is shown as one line, with exit code 1."""
    logging.basicConfig(level=os.environ.get("SMARTGRID_LOG", "WARNING").upper(), stream=sys.stderr)
    try:
        app()
    except user_errors() as error:
        fail(str(error))
