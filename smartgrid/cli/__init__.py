"""The ``smartgrid`` command. Each subcommand lives in the module of its name."""

import logging
import os
import sys

# One thread per numeric library: small batches are slower, not faster, on more of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer

from smartgrid.cli.approvals import app as approvals_app
from smartgrid.cli.attack import attack
from smartgrid.cli.audit import app as audit_app
from smartgrid.cli.backtest import app as backtest_app
from smartgrid.cli.bench import app as bench_app
from smartgrid.cli.demo import demo
from smartgrid.cli.dlq import app as dlq_app
from smartgrid.cli.doctor import doctor
from smartgrid.cli.halt import halt, resume
from smartgrid.cli.knowledge import app as knowledge_app
from smartgrid.cli.mcp import mcp
from smartgrid.cli.output import fail, leaves, user_errors
from smartgrid.cli.plant import plant
from smartgrid.cli.produce import produce
from smartgrid.cli.store import app as store_app
from smartgrid.cli.stream import stream
from smartgrid.cli.supervise import supervise
from smartgrid.cli.token import app as token_app
from smartgrid.cli.topics import app as topics_app
from smartgrid.cli.train import train
from smartgrid.cli.up import up

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Watch a grid area, forecast its net load, keep it stable and trade its battery, behind guardrails.",
)
for _command in (demo, up, mcp, supervise, train, plant, produce, stream, attack, doctor, halt, resume):
    app.command(_command.__name__)(_command)
app.add_typer(approvals_app, name="approvals")
app.add_typer(audit_app, name="audit")
app.add_typer(backtest_app, name="backtest")
app.add_typer(bench_app, name="bench")
app.add_typer(knowledge_app, name="knowledge")
app.add_typer(store_app, name="store")
app.add_typer(token_app, name="token")
app.add_typer(topics_app, name="topics")
app.add_typer(dlq_app, name="dlq")


def main() -> None:
    """Run the command line; what the user can mend is shown as one line, with exit code 1."""
    # Until a role has read its settings, and for the commands that are no roles.
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        app()
    except user_errors() as error:
        fail(str(error))
    except ExceptionGroup as group:  # what went wrong in a role's tasks
        ours, others = group.split(user_errors())
        if ours is None or others is not None:
            raise
        fail("; ".join(leaves(ours)))
