"""The report on the terminal: a table of the days, and what to know beside it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from smartgrid.day.result import ApprovalRecord, DayResult
from smartgrid.report.summary import JsonDict

HEADINGS = ("no action", "ours", "perfect", "capture", "relief", "trade", "cycles", "acts", "broken")
LEGEND = (
    "perfect: with foresight of the whole day; capture: our share of its gain; relief: share of the ramp "
    "penalty avoided; trade: our energy profit over its; acts: accepted proposals; broken: guardrails broken"
)


def print_report(console: Console, results: Sequence[DayResult], summary: JsonDict) -> None:
    """Print a set of days."""
    title = f"A day's accounts, costs in {summary['currency']}"
    # Narrow, so that ten columns of figures stand whole in 80 characters.
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("day", no_wrap=True)
    for name in HEADINGS:
        table.add_column(name, justify="right")
    for day in summary["days"]:
        table.add_row(*_cells(day))
    if len(results) > 1:
        table.add_row(*_cells(summary))
    console.print(table)
    console.print(LEGEND, style="dim", highlight=False)
    for result in results:
        for line in _remarks(result):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cells(row: JsonDict) -> list[str]:
    money = ("cost_no_action_usd", "cost_usd", "cost_perfect_foresight_usd")
    shares = ("value_capture", "ramp_relief", "trade_share")
    return [
        row["name"],
        *(f"{row[name]:,.0f}" for name in money),
        *("–" if row[name] is None else f"{row[name]:.2f}" for name in shares),
        f"{row['battery_cycles']:.2f}",
        f"{row['dispatches']:,}",
        str(row["guardrail_violations"]),
    ]


def _remarks(result: DayResult) -> list[str]:
    answered = {dispatch.event_id for dispatch in result.dispatches if dispatch.event_id}
    known = {event.event_id for event in result.events}
    lines = [
        f"{result.name}: {result.source}; {result.pulses:,} pulses every {result.cadence_s:g} s; prices: "
        f"{result.price_source}; {len(known)} instability events, {len(known & answered)} answered"
    ]
    lines += [f"  {_approval(result, asked)}" for asked in result.approvals]
    lines += [f"  VIOLATION {violation}" for violation in result.violations]
    return lines + [f"  {note}" for note in result.notes]


def _approval(result: DayResult, asked: ApprovalRecord) -> str:
    text = f"approval asked {_at(result, asked.requested_at)} by {asked.requester}: {asked.state.lower()}"
    return f"{text}, decided by {asked.approver}" if asked.approver else text


def _at(result: DayResult, moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(result.tz)).strftime("%H:%M:%S")
