"""``smartgrid approvals``: the duty operator's desk on the command line."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dispatch.approvals import Approval, Approvals

app = typer.Typer(no_args_is_help=True, help="Requests that wait for a person: list, approve, deny.")

IdArgument = Annotated[str, typer.Argument(help="Number of the request, as listed.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]


@app.command("list")
def list_requests(
    state: StateOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the requests that wait, and those approved and not yet carried out."""
    with _desk(state) as desk:
        found = desk.list() if every else desk.list("PENDING", "APPROVED")
    if as_json:
        print_json([_document(asked) for asked in found])
        return
    if not found:
        console.print("nothing waits for approval")
        return
    table = Table("id", "state", "expires (UTC)", "asked by", "what", "why", "rules")
    for asked in found:
        what = f"{asked.asset} {asked.power_kw:+,.1f} kW for {asked.duration_s / 60:.0f} min"
        rules = ", ".join(finding.rule for finding in asked.findings)
        expires = f"{asked.expires_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            asked.approval_id, asked.state.lower(), expires, asked.requester, what, asked.reason, rules
        )
    console.print(table)


@app.command("approve")
def approve(approval_id: IdArgument, reason: ReasonOption, state: StateOption = None) -> None:
    """Agree to a request; its requester may then carry it out once, until it expires."""
    from policies.principal import operator_principal
    from smartgrid.ledger_access import this_user

    with _desk(state) as desk:
        _say(desk.approve(approval_id, operator_principal(this_user()), reason))


@app.command("deny")
def deny(approval_id: IdArgument, reason: ReasonOption, state: StateOption = None) -> None:
    """Refuse a request."""
    from policies.principal import operator_principal
    from smartgrid.ledger_access import this_user

    with _desk(state) as desk:
        _say(desk.deny(approval_id, operator_principal(this_user()), reason))


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


def _say(asked: "Approval") -> None:
    note = " (asked and decided by the same person)" if asked.same_person else ""
    console.print(
        f"approval {asked.approval_id} is {asked.state.lower()} by {asked.decided_by}{note}", highlight=False
    )


def _document(asked: "Approval") -> dict[str, object]:
    return {
        "approval_id": asked.approval_id,
        "state": asked.state,
        "requester": asked.requester,
        "tool": asked.tool,
        "arguments": dict(asked.arguments),
        "asset": asked.asset,
        "power_kw": asked.power_kw,
        "duration_s": asked.duration_s,
        "reason": asked.reason,
        "rules": [finding.rule for finding in asked.findings],
        "created_at": asked.created_at.isoformat(),
        "expires_at": asked.expires_at.isoformat(),
        "decided_by": asked.decided_by,
        "decision_reason": asked.decision_reason,
    }
