"""``smartgrid audit``: the audit chain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, fail, print_json

if TYPE_CHECKING:
    from dispatch.audit_log import AuditEntry

app = typer.Typer(no_args_is_help=True, help="The signed, hash-chained audit log.")


@app.callback()
def _audit() -> None:
    """The signed, hash-chained audit log."""


@app.command("show")
def show(
    last: Annotated[int, typer.Option("--last", min=1, help="How many entries, the newest ones.")] = 20,
    since: Annotated[
        str | None,
        typer.Option("--since", help="None before this moment, plant's time, e.g. 2026-03-01T12:00Z."),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind, e.g. proposal_denied.")] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show entries, oldest first; what is shown is not verified."""
    from dispatch.audit_log import entries, kinds
    from smartgrid.ledger_access import open_ledger
    from smartgrid.moments import moment
    from smartgrid.settings import load_settings

    begin = None if since is None else moment(since, "--since")
    with open_ledger(load_settings(state=state)) as ledger, ledger.reading() as connection:
        found = entries(connection, last=last, since=begin, kind=kind)
        known = kinds(connection)
    if kind is not None and kind not in known:
        fail(f"--kind {kind}: no entry is of that kind; there are: {', '.join(known) or 'none yet'}")
    if as_json:
        print_json([_document(entry) for entry in found])
        return
    table = Table("no.", "plant's time", "kind", "who", "what")
    for entry in found:
        cells = (entry.at[:19], entry.kind, entry.actor, entry.payload)
        table.add_row(str(entry.seq), *(escape(cell) for cell in cells))
    console.print(table)


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
                "note": report.note,
            }
        )
        raise typer.Exit(0 if report.ok else 1)
    if not report.ok:
        fail(f"audit: {report.problem}")
    seen = (
        f"chain and signatures hold; {report.note}"
        if report.note
        else "chain, signatures and head file agree"
    )
    console.print(f"{report.count} entries; {seen}.", highlight=False, markup=False)


@app.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", help="File to write; it must not exist yet.")],
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole chain and this machine's newest head as JSON lines, to be verified elsewhere."""
    from dispatch.audit_log import exported
    from smartgrid.ledger_access import open_ledger
    from smartgrid.settings import load_settings

    with open_ledger(load_settings(state=state)) as ledger:
        head = ledger.newest_head()  # before the entries: what it names has to be among them
        try:
            with ledger.reading() as connection, out.open("x", encoding="ascii", newline="\n") as file:
                lines = sum(file.write(f"{line}\n") > 0 for line in exported(connection, head))
        except OSError as error:
            fail(f"--out {out}: {error.strerror}; choose another file")
    if as_json:
        print_json({"file": str(out), "entries": lines - 2, "head": None if head is None else head.count})
        return
    console.print(f"{lines - 2} entries in {out}; docs/ledger.md says how to verify them.", highlight=False)


def _document(entry: "AuditEntry") -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "payload": entry.content,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        "signature": entry.signature,
    }
