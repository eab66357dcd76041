"""``smartgrid audit``: the audit chain."""

import typer

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, fail, print_json

app = typer.Typer(no_args_is_help=True, help="The signed, hash-chained audit log.")


@app.callback()
def _audit() -> None:
    """The signed, hash-chained audit log."""


@app.command("verify")
def verify(
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare chain, signatures and head file; exit code 1 names the first entry that does not hold."""
    from smartgrid.ledger_access import open_ledger
    from smartgrid.settings import load_settings

    with open_ledger(load_settings(state=state)) as ledger:
        report = ledger.verify_audit()
    if as_json:
        print_json(
            {
                "ok": report.ok,
                "entries": report.count,
                "broken_at": report.broken_at,
                "problem": report.problem,
            }
        )
        raise typer.Exit(0 if report.ok else 1)
    if not report.ok:
        fail(f"audit: {report.problem}")
    console.print(f"{report.count} entries; chain, signatures and head file agree.", highlight=False)
