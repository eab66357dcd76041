"""Instability events: when the area ramps, or is about to, or its frequency leaves the deadband."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

EventKind = Literal["forecast_ramp", "measured_ramp", "frequency"]
Severity = Literal["warning", "critical"]

BEGINS_AT_PROBABILITY = 0.5
CALM_BEFORE_END = timedelta(minutes=10)
CRITICAL_FACTOR = 2.0
NOMINAL_HZ = (50.0, 60.0)


@dataclass(frozen=True, slots=True)
class InstabilityEvent:
    """One stretch of instability at a site.

    Attributes:
        event_id: the same for the same site and start, in any run.
        kind: what began it.
        started_at: stamp of the observation that began it.
        ended_at: when it had been calm for ten minutes; None while it lasts.
        severity: ``critical`` once a change reaches twice the ramp limit.
        cause_kw: the largest change (expected or measured) so far, signed; None where only the
            frequency speaks.
    """

    event_id: str
    site: str
    kind: EventKind
    started_at: datetime
    ended_at: datetime | None
    severity: Severity
    cause_kw: float | None


def by_site(events: Iterable[InstabilityEvent]) -> dict[str, list[InstabilityEvent]]:
    """Events by their site, in the order given."""
    found: dict[str, list[InstabilityEvent]] = {}
    for event in events:
        found.setdefault(event.site, []).append(event)
    return found


def event_id(site: str, started_at: datetime) -> str:
    """The identity of the event that began so: the same in any run."""
    digest = sha256(f"{site}|{started_at.isoformat()}".encode()).hexdigest()[:12]
    return f"evt-{digest}"
