"""Everything on the status page at one moment, ready for JSON.

Invariants:
    What is missing is None, never 0. What is older than ``max_age_s``, or absent, is ``stale``.
    Nothing is written, and the audit's chain is not verified: that is too dear for every poll.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dispatch.errors import DispatchError
from dispatch.ledger import Ledger
from grid.clock import Clock
from grid.telemetry import AREA_SITE, NATIVE_SITE
from operator_console import ledger_view, series_view
from operator_console.errors import SourceError
from operator_console.viewpoint import Viewpoint
from pipeline.errors import PipelineError
from pipeline.store import SeriesReader


@dataclass(frozen=True, slots=True)
class ConsoleSource:
    """Where the page's values come from.

    Attributes:
        reader: telemetry, forecasts, quotes, events.
        ledger: approvals, dispatches, the assets' reports, a halt.
        clock: the plant's time; ages count by it.
        max_age_s: older values are shown as stale.
        currency: of the prices.
        battery_energy_kwh: capacity of the battery, for its state of charge in percent.
        tz: IANA time zone of the times shown.
    """

    reader: SeriesReader
    ledger: Ledger
    clock: Clock
    max_age_s: float
    currency: str
    battery_energy_kwh: float
    tz: str


def snapshot(source: ConsoleSource) -> dict[str, object]:
    """The plant as the store and the ledger show it now.

    Raises:
        SourceError: when either of them cannot be read.
    """
    try:
        view = Viewpoint(source.clock.now(), ZoneInfo(source.tz), source.max_age_s)
        return {**_frame(source, view), **_series(source, view), **_ledger(source, view)}
    except (DispatchError, PipelineError) as error:
        raise SourceError(str(error)) from error


def _frame(source: ConsoleSource, view: Viewpoint) -> dict[str, object]:
    return {"plant_time": view.local(view.now), "tz": source.tz, "max_age_s": source.max_age_s}


def _series(source: ConsoleSource, view: Viewpoint) -> dict[str, object]:
    reader = source.reader
    return {
        "sites": [series_view.site_view(reader, view, site) for site in (AREA_SITE, NATIVE_SITE)],
        "forecast": series_view.forecast_view(reader, view),
        "price": series_view.price_view(reader, view, source.currency),
        "events": series_view.events_view(reader, view),
        "chart": series_view.chart_view(reader, view),
    }


def _ledger(source: ConsoleSource, view: Viewpoint) -> dict[str, object]:
    with source.ledger.reading() as connection:
        seen = {
            "assets": ledger_view.assets_view(connection, view, source.battery_energy_kwh),
            "dispatches": ledger_view.dispatches_view(connection, view),
            "halt": ledger_view.halt_view(connection, view),
            "audit_entries": ledger_view.audit_entries(connection),
        }
    return {**seen, "approvals": ledger_view.approvals_view(source.ledger, source.clock, view)}
