"""What an operator has to know at once: one list, the gravest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dispatch.receipts import Dispatch
from operator_console.ledger_view import LedgerSeen
from operator_console.series_view import BandSeen, SiteSeen
from operator_console.viewpoint import Viewpoint
from pipeline.instability import InstabilityEvent
from pipeline.trust import TrustReport

RECEIPT_WITHIN = timedelta(minutes=1)
"""A device that was asked answers within seconds; later the intent stands alone."""

Severity = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is not as it should be.

    Attributes:
        since: when it began; None where that is not known.
    """

    severity: Severity
    title: str
    text: str
    since: datetime | None


def alarms_of(
    view: Viewpoint,
    ledger: LedgerSeen,
    *,
    sites: tuple[SiteSeen, ...],
    band: BandSeen,
    trust: TrustReport,
    events: tuple[InstabilityEvent, ...],
) -> tuple[Alarm, ...]:
    """All alarms now, critical ones first."""
    found = [
        *_of_halt(ledger),
        *_of_silence(sites, band, ledger),
        *_of_trust(trust),
        *_of_events(events),
        *_of_dispatch(view, ledger.standing),
    ]
    return tuple(sorted(found, key=lambda alarm: alarm.severity != "critical"))


def _of_halt(ledger: LedgerSeen) -> Iterator[Alarm]:
    if ledger.halt is not None:
        text = f"by {ledger.halt.by}: {ledger.halt.reason}"
        yield Alarm("critical", "Autonomy is halted", text, ledger.halt.at)
    if ledger.watchdog is not None:
        text = ledger.watchdog.reason
        yield Alarm("critical", "The watchdog keeps the assets in their safe state", text, ledger.watchdog.at)


def _of_silence(sites: tuple[SiteSeen, ...], band: BandSeen, ledger: LedgerSeen) -> Iterator[Alarm]:
    for site in sites:
        if site.age.stale:
            yield Alarm("critical", f"No fresh telemetry of {site.site}", _last(site.age.at), site.age.at)
    if band.age.stale:
        yield Alarm("warning", "No fresh forecast", _last(band.age.at), band.age.at)
    if ledger.assets.age.stale:
        at = ledger.assets.age.at
        yield Alarm("critical", "The assets do not report", _last(at), at)


def _last(at: datetime | None) -> str:
    return "nothing was ever received" if at is None else "what is shown is the last that was received"


def _of_trust(trust: TrustReport) -> Iterator[Alarm]:
    if trust.alarm and trust.kind not in ("stale", "missing"):
        where = f" in {trust.channel}" if trust.channel else ""
        then = "other meters stand in" if trust.stands_in else "autonomous action is refused below 0.5"
        text = f"suspected: {trust.kind}{where}; trust {trust.trust:.2f}, {then}"
        yield Alarm("critical", "Telemetry may be false", text, trust.since)


def _of_events(events: tuple[InstabilityEvent, ...]) -> Iterator[Alarm]:
    names = {
        "forecast_ramp": "A ramp is forecast",
        "measured_ramp": "Net load ramps",
        "frequency": "Frequency has left its band",
    }
    for event in events:
        change = "" if event.cause_kw is None else f"{event.cause_kw:+,.0f} kW within 30 min, "
        yield Alarm(
            event.severity, names[event.kind], f"{change}{event.site}, {event.event_id}", event.started_at
        )


def _of_dispatch(view: Viewpoint, standing: Dispatch | None) -> Iterator[Alarm]:
    if standing is None:
        return
    if standing.state == "NOT_APPLIED":
        text = f"dispatch {standing.dispatch_id} was not carried out before a restart"
        yield Alarm("warning", "A dispatch did not reach the assets", text, standing.at)
    elif standing.state == "INTENT" and view.now - standing.at > RECEIPT_WITHIN:
        text = f"dispatch {standing.dispatch_id} has no receipt"
        yield Alarm("critical", "The assets do not confirm", text, standing.at)
