"""The ``smartgrid`` command. Each subcommand lives in the module of its name."""

import logging
import os
import sys
from collections.abc import Callable

# One thread per numeric library: small batches are slower, not faster, on more of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import typer

from smartgrid.cli.approvals import app as approvals_app
from smartgrid.cli.attack import attack
from smartgrid.cli.audit import app as audit_app
from smartgrid.cli.backtest import app as backtest_app
from smartgrid.cli.bench import app as bench_app
from smartgrid.cli.config import app as config_app
from smartgrid.cli.console import app as console_app
from smartgrid.cli.dashboards import dashboards
from smartgrid.cli.data import app as data_app
from smartgrid.cli.demo import demo
from smartgrid.cli.dlq import app as dlq_app
from smartgrid.cli.doctor import doctor
from smartgrid.cli.halt import halt, resume
from smartgrid.cli.install import app as install_app
from smartgrid.cli.knowledge import app as knowledge_app
from smartgrid.cli.mcp import mcp
from smartgrid.cli.openadr import openadr
from smartgrid.cli.output import fail, leaves, user_errors
from smartgrid.cli.plant import plant
from smartgrid.cli.produce import produce
from smartgrid.cli.serve import serve
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
    epilog="Exit codes: 0 done; 1 what you can mend, said on standard error; 2 a command line that was not "
    "understood.",
)
_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Begin": (demo, up, doctor),
    "Clients and operators": (mcp, halt, resume),
    "Roles of their own": (serve, supervise, stream, produce, openadr, plant),
    "Models and data": (train, attack),
    "Services": (dashboards,),
}
_GROUPS = {
    "Begin": {"config": config_app},
    "Clients and operators": {
        "approvals": approvals_app, "console": console_app, "audit": audit_app, "token": token_app,
        "install": install_app, "knowledge": knowledge_app,
    },
    "Models and data": {"data": data_app, "backtest": backtest_app, "bench": bench_app},
    "Services": {"topics": topics_app, "dlq": dlq_app, "store": store_app},
}  # fmt: skip
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(_command.__name__, rich_help_panel=_panel)(_command)
    for _name, _group in _GROUPS.get(_panel, {}).items():
        app.add_typer(_group, name=_name, rich_help_panel=_panel)


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
