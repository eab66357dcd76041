"""What the series store tells the page: net load, forecast, price, trust, open events, the last hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid.units import RAMP_WINDOW_S
from operator_console.viewpoint import Age, Viewpoint, finite
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.store import SeriesReader
from pipeline.trust import TrustReport, assess

CHART_PAST = timedelta(minutes=60)
CHART_AHEAD = timedelta(seconds=RAMP_WINDOW_S)
CHART_POINTS = 180
"""Of a line at most, every half minute: what a screen can tell apart."""
LONGEST_INTERVAL = timedelta(hours=2)
"""No market's price interval is longer: how far back the current quote can have begun."""
MICROSECOND = timedelta(microseconds=1)

Point = tuple[int, float | None]


@dataclass(frozen=True, slots=True)
class SiteSeen:
    """A site's newest pulse; net load in kW, positive imports."""

    site: str
    net_load_kw: float | None
    age: Age


@dataclass(frozen=True, slots=True)
class BandSeen:
    """The newest forecast as levels in kW, of the net load without our own assets."""

    target_at: datetime | None
    p10_kw: float | None
    p50_kw: float | None
    p90_kw: float | None
    change_kw: float | None
    age: Age


@dataclass(frozen=True, slots=True)
class PriceSeen:
    """Prices per MWh of the interval that runs now; None where no quote covers it."""

    interval_start: datetime | None
    real_time: float | None
    day_ahead: float | None


@dataclass(frozen=True, slots=True)
class ChartSeen:
    """The last hour of net load, and what was forecast for it and for the half hour to come.

    Times are milliseconds since 1970, powers kW; a None is a hole in a line. Each forecast stands at the
    time that it speaks of.
    """

    now_ms: int
    metered: tuple[Point, ...] = ()
    native: tuple[Point, ...] = ()
    p10: tuple[Point, ...] = ()
    p50: tuple[Point, ...] = ()
    p90: tuple[Point, ...] = ()


def site_seen(reader: SeriesReader, view: Viewpoint, site: str) -> SiteSeen:
    """A site's newest pulse."""
    newest = next(iter(reader.latest(site, 1)), None)
    return SiteSeen(
        site, finite(newest.net_load_kw if newest else None), view.age(newest.ts_utc if newest else None)
    )


def band_seen(reader: SeriesReader, view: Viewpoint) -> BandSeen:
    """The newest forecast of the native net load."""
    newest = reader.latest_forecast(NATIVE_SITE)
    if newest is None:
        return BandSeen(None, None, None, None, None, view.age(None))
    p10_kw, p50_kw, p90_kw = levels_kw(newest)
    return BandSeen(
        newest.target_at, p10_kw, p50_kw, p90_kw, finite(newest.p50_kw), view.age(newest.issued_at)
    )


def band_issued(reader: SeriesReader, issued_at: datetime) -> Forecast | None:
    """The forecast of the native net load that was issued at a moment."""
    return next(iter(reader.forecasts(NATIVE_SITE, issued_at, issued_at + MICROSECOND)), None)


def levels_kw(forecast: Forecast) -> tuple[float | None, float | None, float | None]:
    """P10, P50, P90 of the net load at the target: change + net load at issue."""
    base_kw = forecast.net_load_kw
    return (
        finite(base_kw + forecast.p10_kw),
        finite(base_kw + forecast.p50_kw),
        finite(base_kw + forecast.p90_kw),
    )


def price_seen(reader: SeriesReader, view: Viewpoint) -> PriceSeen:
    """The quote of the interval that runs now."""
    quotes = reader.quotes(AREA_SITE, view.now - LONGEST_INTERVAL, view.now + MICROSECOND)
    running = [quote for quote in quotes if view.now < quote.ts_utc + timedelta(seconds=quote.interval_s)]
    if not running:
        return PriceSeen(None, None, None)
    quote = running[-1]
    return PriceSeen(quote.ts_utc, finite(quote.price_usd_per_mwh), finite(quote.da_price_usd_per_mwh))


def trust_seen(reader: SeriesReader, view: Viewpoint) -> TrustReport:
    """How far the native telemetry can be trusted: the series that decisions rest on."""
    return assess(reader, NATIVE_SITE, view.now)


def open_events(reader: SeriesReader, view: Viewpoint) -> list[InstabilityEvent]:
    """The open instability events of all sites, the oldest first."""
    found = (event for events in reader.open_events(view.now).values() for event in events)
    return sorted((event for event in found if event.ended_at is None), key=lambda event: event.started_at)


def chart_seen(reader: SeriesReader, view: Viewpoint) -> ChartSeen:
    """Both net loads and the forecast's band, thinned to what can be seen."""
    start, end = view.now - CHART_PAST, view.now + CHART_AHEAD
    issued = reader.forecasts(NATIVE_SITE, start - CHART_AHEAD, view.now + MICROSECOND)
    bands = [(band.target_at, levels_kw(band)) for band in issued if start <= band.target_at <= end]
    columns = [
        thinned([(target, levels[k]) for target, levels in bands], start, end, view.max_age_s)
        for k in range(3)
    ]

    def measured(site: str) -> tuple[Point, ...]:
        pulses = reader.telemetry(site, start, view.now + MICROSECOND)
        points = [(pulse.ts_utc, finite(pulse.net_load_kw)) for pulse in pulses]
        return thinned(points, start, end, view.max_age_s)

    return ChartSeen(_ms(view.now), measured(AREA_SITE), measured(NATIVE_SITE), *columns)


def thinned(
    points: Iterable[tuple[datetime, float | None]], start: datetime, end: datetime, gap_s: float
) -> tuple[Point, ...]:
    """The last point of each of 180 equal spans; a hole longer than ``gap_s`` stays a hole in the line."""
    width_s = (end - start).total_seconds() / CHART_POINTS
    kept: dict[int, tuple[datetime, float | None]] = {}
    for at, value in points:
        kept[int((at - start).total_seconds() / width_s)] = (at, value)
    return tuple(_with_holes(list(kept.values()), max(gap_s, 2 * width_s)))


def _with_holes(points: Sequence[tuple[datetime, float | None]], gap_s: float) -> Iterable[Point]:
    before: datetime | None = None
    for at, value in points:
        if before is not None and (at - before).total_seconds() > gap_s:
            yield _ms(before) + 1, None
        yield _ms(at), value
        before = at


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
