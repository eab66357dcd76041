"""Options that several commands share."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import typer

from smartgrid.errors import ScenarioError

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="State directory (else SMARTGRID_STATE, else the user data directory)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="CHANNEL=COLUMN of the CSV, e.g. load=total_gen_mw. Repeatable."),
]
TzOption = Annotated[str | None, typer.Option("--tz", help="Time zone of naive time stamps in the CSV.")]
SiteTzOption = Annotated[str | None, typer.Option("--site-tz", help="Time zone of the site's local day.")]
LimitsOption = Annotated[
    Path | None, typer.Option("--limits", help="Limits file (YAML); the safe default otherwise.")
]
ShadowOption = Annotated[
    bool | None,
    typer.Option("--shadow/--live", help="Record what the loops would do, and act on nothing."),
]


def zone(name: str | None, default: str = "UTC") -> ZoneInfo:
    """The time zone of an option.

    Raises:
        ScenarioError: for a name that is not known.
    """
    chosen = name or default
    if chosen not in available_timezones():
        raise ScenarioError(f"{chosen!r} is no IANA time zone; write it like America/Chicago")
    return ZoneInfo(chosen)


def duration_s(text: str, option: str = "--horizon") -> float:
    """Seconds of a duration such as 45s, 30m or 1h.

    Raises:
        ScenarioError: for anything else.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ScenarioError(f"{option} {text!r} is no duration; write it like 30m or 1h")
    return float(match[1]) * {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}[match[2]]


def local_date(text: str, option: str = "--day") -> date:
    """A date such as 2024-04-15.

    Raises:
        ScenarioError: for anything else.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ScenarioError(f"{option} {text!r} is no date; write it like 2024-04-15") from None
