"""Instability events: when the area ramps, or is about to, or its frequency leaves the deadband."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from grid.frequency import FREQUENCY_DEADBAND_HZ
from pipeline.forecast import Forecast

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


@dataclass(frozen=True, slots=True)
class _Cause:
    kind: EventKind
    change_kw: float | None


class InstabilityDetector:
    """Follows one site, observation by observation in the order of time.

    Args:
        site: the site that it follows.
        ramp_limit_kw: size of a 30-minute change that is too much.
        frequency_deadband_hz: half width of the band around nominal frequency.
        open_event: an event that was open when a former process stopped.
    """

    def __init__(
        self,
        site: str,
        ramp_limit_kw: float,
        frequency_deadband_hz: float = FREQUENCY_DEADBAND_HZ,
        open_event: InstabilityEvent | None = None,
    ) -> None:
        self._site = site
        self._limit_kw = ramp_limit_kw
        self._deadband_hz = frequency_deadband_hz
        self._open = open_event
        self._last_cause_at = open_event.started_at if open_event else None

    @property
    def worst_kw(self) -> float:
        """Size of the open event's largest change; 0 without one."""
        return abs(self._open.cause_kw or 0.0) if self._open is not None else 0.0

    def keep_open(self, at: datetime) -> None:
        """Take an observation that gives cause, but no larger one than the open event has."""
        self._last_cause_at = at

    def worsen(self, at: datetime, change_kw: float) -> InstabilityEvent | None:
        """Take an observation that gives cause while an event is open: :meth:`observe`, knowing the cause.

        Args:
            at: its stamp, not before the one before.
            change_kw: that it gives cause by; 0 where the frequency alone does.
        """
        self._last_cause_at = at
        return None if self._open is None else self._worsen(self._open, _Cause("measured_ramp", change_kw))

    def observe(
        self,
        at: datetime,
        *,
        change_kw: float | None,
        forecast: Forecast | None,
        frequency_hz: float | None = None,
    ) -> InstabilityEvent | None:
        """Take one observation.

        Args:
            at: its stamp, not before the one before.
            change_kw: NL(at) − NL(at − 30 min); None if either is missing.
            forecast: the forecast issued at ``at``; None if there was none.
            frequency_hz: measured frequency; None if missing.

        Returns:
            The event if it began, changed or ended, for the store; else None.
        """
        cause = self._cause(change_kw, forecast, frequency_hz)
        if cause is not None:
            self._last_cause_at = at
            return self._begin(at, cause) if self._open is None else self._worsen(self._open, cause)
        if self._open is None or self._last_cause_at is None or at - self._last_cause_at < CALM_BEFORE_END:
            return None
        ended, self._open = replace(self._open, ended_at=at), None
        return ended

    def _cause(
        self, change_kw: float | None, forecast: Forecast | None, frequency_hz: float | None
    ) -> _Cause | None:
        """The strongest reason for an event now; a measured change speaks before an expected one."""
        if change_kw is not None and abs(change_kw) > self._limit_kw:
            return _Cause("measured_ramp", change_kw)
        if forecast is not None and forecast.probability_beyond(self._limit_kw) >= BEGINS_AT_PROBABILITY:
            return _Cause("forecast_ramp", forecast.p50_kw)
        if frequency_hz is not None and self._outside_deadband(frequency_hz):
            return _Cause("frequency", None)
        return None

    def _outside_deadband(self, frequency_hz: float) -> bool:
        return min(abs(frequency_hz - nominal) for nominal in NOMINAL_HZ) > self._deadband_hz

    def _begin(self, at: datetime, cause: _Cause) -> InstabilityEvent:
        digest = sha256(f"{self._site}|{at.isoformat()}".encode()).hexdigest()[:12]
        self._open = InstabilityEvent(
            event_id=f"evt-{digest}",
            site=self._site,
            kind=cause.kind,
            started_at=at,
            ended_at=None,
            severity=self._severity(cause.change_kw),
            cause_kw=cause.change_kw,
        )
        return self._open

    def _worsen(self, event: InstabilityEvent, cause: _Cause) -> InstabilityEvent | None:
        """The open event with a larger cause, or None if nothing changed."""
        if cause.change_kw is None or abs(cause.change_kw) <= abs(event.cause_kw or 0.0):
            return None
        critical = event.severity == "critical" or self._severity(cause.change_kw) == "critical"
        severity: Severity = "critical" if critical else "warning"
        self._open = replace(event, cause_kw=cause.change_kw, severity=severity)
        return self._open

    def _severity(self, change_kw: float | None) -> Severity:
        critical = change_kw is not None and abs(change_kw) >= CRITICAL_FACTOR * self._limit_kw
        return "critical" if critical else "warning"
