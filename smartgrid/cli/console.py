"""``smartgrid console``: how the duty operator gets into the console."""

import typer

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import errors, print_json

app = typer.Typer(no_args_is_help=True, help="The operator's console: a link that opens it once.")


@app.callback()
def _console() -> None:
    """The operator's console: a link that opens it once."""


@app.command("link")
def link(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Print a link that logs into the console once, within 15 minutes.

    It stands for the operator token in the state directory: give it to nobody who may not approve.
    """
    from smartgrid.console_link import new_link
    from smartgrid.operator_token import LINK_LIFE_S
    from smartgrid.settings import load_settings

    url = new_link(load_settings(state=state))
    if as_json:
        print_json({"url": url, "expires_in_s": LINK_LIFE_S})
        return
    typer.echo(url)
    errors.print(f"opens the console once, within {LINK_LIFE_S / 60:.0f} minutes", highlight=False)
