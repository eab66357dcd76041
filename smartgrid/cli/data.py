"""``smartgrid data``: history of the operators' areas, to train on."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartgrid.cli.options import JsonOption, StateOption, local_date
from smartgrid.cli.output import console, print_json
from smartgrid.cli.role import start_role

if TYPE_CHECKING:
    from smartgrid.live.history import History

app = typer.Typer(no_args_is_help=True, help="History of the operators' areas, to train on.")
_SHOWN_GAPS = 5


@app.callback()
def _data() -> None:
    """History of the operators' areas, to train on."""


@app.command("fetch")
def fetch(
    iso: Annotated[str, typer.Option("--iso", help="The area: CAISO or NYISO.")],
    first: Annotated[str, typer.Option("--from", help="First local day of the area, such as 2026-01-01.")],
    out: Annotated[Path, typer.Option("--out", help="CSV file to write; packed if it ends in .gz.")],
    last: Annotated[
        str | None, typer.Option("--to", help="Last local day, included; the first one where not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch an area's load, solar, wind and prices into a CSV; gaps are told, never filled."""
    from random import SystemRandom

    from smartgrid.live.areas import area_named
    from smartgrid.live.history import fetch_history, require_history
    from smartgrid.live.history_file import require_writable, write_csv
    from smartgrid.live.reader import open_reader
    from smartgrid.stopping import stop_signal

    start_role(state=state)
    area, begin = area_named(iso), local_date(first, "--from")
    end = begin if last is None else local_date(last, "--to")
    require_history(area, begin, end, datetime.now(area.zone).date())
    require_writable(out, force=force)
    with stop_signal() as stopped, open_reader(stopped) as reader:
        history = fetch_history(area, begin, end, reader.ask, sleep=stopped.wait, rng=SystemRandom())
    write_csv(history, out)
    if as_json:
        print_json(_document(history, out))
    else:
        _show(history, out)


def _document(history: "History", out: Path) -> dict[str, Any]:
    return {
        "file": str(out),
        "rows": len(history.rows),
        "columns": list(history.columns),
        "gaps": [
            {"start_utc": gap.start_utc.isoformat(), "intervals": gap.intervals} for gap in history.gaps
        ],
        "missing": dict(history.missing),
        "left_out": [
            {
                "kind": remark.kind,
                "ts_utc": remark.ts_utc.isoformat(),
                "channel": remark.channel,
                "old": remark.old,
                "new": remark.new,
            }
            for remark in history.remarks
        ],
        "problems": history.problems,
    }


def _show(history: "History", out: Path) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{out}: {len(history.rows)} intervals of {', '.join(history.columns)}")
    for gap in history.gaps[:_SHOWN_GAPS]:
        say(f"gap: {gap.intervals} intervals from {gap.start_utc.isoformat()}")
    if len(history.gaps) > _SHOWN_GAPS:
        say(f"and {len(history.gaps) - _SHOWN_GAPS} more gaps")
    if history.missing:
        say("blank: " + ", ".join(f"{count} {channel}" for channel, count in history.missing.items()))
    if history.remarks:
        say(f"{len(history.remarks)} values left out, as impossible or ambiguous; --json lists them")
    for problem in history.problems[:_SHOWN_GAPS]:
        say(problem)
