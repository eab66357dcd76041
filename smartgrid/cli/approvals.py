"""``smartgrid approvals``: the duty operator's desk on the command line."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dispatch.approvals import Approval, Approvals
    from policies.principal import Principal

LOOK_S = 1.0
"""Between two looks at the ledger."""

app = typer.Typer(no_args_is_help=True, help="Requests that wait for a person: list, show, decide, watch.")

IdArgument = Annotated[str, typer.Argument(help="Number of the request, as listed.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]


@app.command("list")
def list_requests(
    state: StateOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the requests that wait, and those approved and not yet carried out."""
    from smartgrid.approval_document import approval_document

    with _desk(state) as desk:
        found = desk.list() if every else desk.list("PENDING", "APPROVED")
    if as_json:
        print_json([approval_document(asked) for asked in found])
    elif found:
        console.print(_table(found))
    else:
        console.print("nothing waits for approval")


@app.command("show")
def show(approval_id: IdArgument, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Show one request: what, why, on which forecast, at what cost, and which rules asked."""
    from smartgrid.approval_document import approval_document

    with _desk(state) as desk:
        asked = desk.get(approval_id)
    if as_json:
        print_json(approval_document(asked))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in _lines(asked):
        table.add_row(f"[bold]{name}[/bold]", value)
    console.print(table, highlight=False)


@app.command("approve")
def approve(
    approval_id: IdArgument, reason: ReasonOption, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Agree to a request; its requester may then carry it out once, until it expires."""
    with _desk(state) as desk:
        _say(desk.approve(approval_id, _operator(), reason), as_json)


@app.command("deny")
def deny(
    approval_id: IdArgument, reason: ReasonOption, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Refuse a request."""
    with _desk(state) as desk:
        _say(desk.deny(approval_id, _operator(), reason), as_json)


@app.command("watch")
def watch(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Print each request as it begins to wait, until Ctrl-C; with --json one object a line."""
    import json

    from smartgrid.approval_document import approval_document
    from smartgrid.new_requests import NewRequests
    from smartgrid.stopping import stop_signal

    with _desk(state) as desk, stop_signal() as stopped:
        requests = NewRequests(lambda: desk.list("PENDING"))
        while not stopped.is_set():
            for asked in requests.take():
                line = json.dumps(approval_document(asked)) if as_json else _line(asked)
                typer.echo(line)
            stopped.wait(LOOK_S)


@contextmanager
def _desk(state: "Path | None") -> "Iterator[Approvals]":
    import time

    from dispatch.approvals import Approvals
    from dispatch.plant_clock import LedgerClock
    from policies.limits import load_limits
    from smartgrid.ledger_access import open_ledger
    from smartgrid.settings import load_settings

    settings = load_settings(state=state)
    two_people = load_limits(settings.limits).approval.require_two_people
    with open_ledger(settings) as ledger:
        yield Approvals(ledger, LedgerClock(ledger, time.time), require_two_people=two_people)


def _operator() -> "Principal":
    from policies.principal import operator_principal
    from smartgrid.ledger_access import this_user

    return operator_principal(this_user())


def _say(asked: "Approval", as_json: bool) -> None:
    from smartgrid.approval_document import approval_document

    if as_json:
        print_json(approval_document(asked))
        return
    note = " (asked and decided by the same person)" if asked.same_person else ""
    console.print(
        f"approval {asked.approval_id} is {asked.state.lower()} by {asked.decided_by}{note}", highlight=False
    )


def _what(asked: "Approval") -> str:
    return f"{asked.asset} {asked.power_kw:+,.1f} kW for {asked.duration_s / 60:.0f} min"


def _rules(asked: "Approval") -> str:
    return ", ".join(finding.rule for finding in asked.findings)


def _line(asked: "Approval") -> str:
    return (
        f"approval {asked.approval_id}: {_what(asked)}, asked by {asked.requester}, "
        f"expires {asked.expires_at:%Y-%m-%d %H:%M:%S} UTC, rules: {_rules(asked)}; why: {asked.reason}"
    )


def _table(found: "Sequence[Approval]") -> Table:
    from rich.markup import escape

    table = Table("id", "state", "expires (UTC)", "asked by", "what", "why", "rules")
    for asked in found:
        expires = f"{asked.expires_at:%Y-%m-%d %H:%M:%S}"
        said = (asked.requester, _what(asked), asked.reason, _rules(asked))
        table.add_row(asked.approval_id, asked.state.lower(), expires, *map(escape, said))
    return table


def _lines(asked: "Approval") -> list[tuple[str, str]]:
    """What is known of a request, with its name; what an agent wrote is no markup."""
    from rich.markup import escape

    cost = asked.expected_cost_usd
    lines = [
        ("approval", f"{asked.approval_id}, {asked.state.lower()}"),
        ("what", _what(asked)),
        ("why", asked.reason),
        ("asked by", f"{asked.requester} at {asked.created_at:%Y-%m-%d %H:%M:%S} UTC through {asked.tool}"),
        ("expires", f"{asked.expires_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("effect", asked.expected_effect or "not said"),
        ("cost", "not said" if cost is None else f"{cost:,.2f} (negative is a gain)"),
        ("forecast", asked.forecast_issued_at or "none named"),
        ("event", asked.event_id or "none named"),
        *((f"rule {item.rule}", item.quote) for item in asked.findings),
    ]
    if asked.decided_by is not None:
        lines.append(("decided", f"by {asked.decided_by}: {asked.decision_reason}"))
    return [(name, escape(value)) for name, value in lines]
