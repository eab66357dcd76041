"""Everything that the pages show of one moment.

Invariants:
    What is missing is None, never 0. What is older than ``max_age_s``, or absent, is stale.
    Nothing is written, and the audit's chain is not verified.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from dispatch.approvals import Approval
from dispatch.errors import DispatchError
from grid.telemetry import AREA_SITE, NATIVE_SITE
from operator_console import ledger_view, series_view
from operator_console.alarms import Alarm, alarms_of
from operator_console.errors import SourceError
from operator_console.ledger_view import LedgerSeen
from operator_console.series_view import BandSeen, ChartSeen, PriceSeen, SiteSeen
from operator_console.source import ConsoleSource
from operator_console.viewpoint import Viewpoint
from pipeline.errors import PipelineError
from pipeline.trust import TrustReport

SILENT_SUPERVISOR_S = 60.0
"""Wall time: two lives of its lease without a heartbeat, and nobody counts on it any more."""

Mode = Literal["autonomous", "shadow", "halted", "manual"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The plant as the store and the ledger show it at one moment.

    Attributes:
        now: the plant's time.
        mode: ``manual`` where no process runs the autonomous loops.
        metered, native: net load at the meter, and without our own assets.
        approvals: requests that wait, the oldest first.
        settled: the last ones that no longer wait, the newest first.
    """

    now: datetime
    mode: Mode
    metered: SiteSeen
    native: SiteSeen
    band: BandSeen
    price: PriceSeen
    trust: TrustReport
    ledger: LedgerSeen
    approvals: tuple[Approval, ...]
    settled: tuple[Approval, ...]
    alarms: tuple[Alarm, ...]
    chart: ChartSeen


def snapshot(source: ConsoleSource, before: Snapshot | None = None) -> Snapshot:
    """The plant now.

    Args:
        source: where the values come from.
        before: the last one: while no pulse came since, its chart and its trust still hold.

    Raises:
        SourceError: when store or ledger cannot be read.
    """
    try:
        view = Viewpoint(source.clock.now(), source.max_age_s)
        return _look(source, view, before)
    except (DispatchError, PipelineError) as error:
        raise SourceError(str(error)) from error


def _look(source: ConsoleSource, view: Viewpoint, before: Snapshot | None) -> Snapshot:
    reader = source.reader
    metered = series_view.site_seen(reader, view, AREA_SITE)
    native = series_view.site_seen(reader, view, NATIVE_SITE)
    band = series_view.band_seen(reader, view)
    ledger = ledger_view.ledger_seen(source, view)
    events = tuple(series_view.open_events(reader, view))
    same = before is not None and _pulses(before) == (metered.age.at, native.age.at, band.age.at)
    if before is not None and same and not native.age.stale:
        chart, trust = replace(before.chart, now_ms=round(view.now.timestamp() * 1000)), before.trust
    else:
        chart, trust = series_view.chart_seen(reader, view), series_view.trust_seen(reader, view)
    pending, settled = ledger_view.approvals_seen(source)
    return Snapshot(
        now=view.now,
        mode=_mode(source, ledger),
        metered=metered,
        native=native,
        band=band,
        price=series_view.price_seen(reader, view),
        trust=trust,
        ledger=ledger,
        approvals=tuple(pending),
        settled=tuple(settled),
        alarms=alarms_of(view, ledger, sites=(metered, native), band=band, trust=trust, events=events),
        chart=chart,
    )


def _pulses(seen: Snapshot) -> tuple[datetime | None, ...]:
    return seen.metered.age.at, seen.native.age.at, seen.band.age.at


def _mode(source: ConsoleSource, ledger: LedgerSeen) -> Mode:
    beat = ledger.heartbeat
    if ledger.halt is not None:
        return "halted"
    if beat is None or beat.age_s(source.wall_s()) > SILENT_SUPERVISOR_S:
        return "manual"
    return "shadow" if beat.mode == "shadow" else "autonomous"
