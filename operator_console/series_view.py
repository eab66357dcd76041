"""What the series store tells the page: net load, forecast, price, open events, the last hour."""

from datetime import datetime, timedelta

from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid.units import RAMP_WINDOW_S
from operator_console.viewpoint import Viewpoint, finite
from pipeline.forecast import Forecast
from pipeline.store import SeriesReader

CHART_PAST = timedelta(minutes=60)
CHART_AHEAD = timedelta(seconds=RAMP_WINDOW_S)
LONGEST_INTERVAL = timedelta(hours=2)
"""No market's price interval is longer: how far back the current quote can have begun."""
MICROSECOND = timedelta(microseconds=1)


def site_view(reader: SeriesReader, view: Viewpoint, site: str) -> dict[str, object]:
    """A site's newest pulse with its age; ``Net_Load_kW`` positive imports."""
    newest = next(iter(reader.latest(site, 1)), None)
    return {
        "site": site,
        "measured_at": view.local(newest.ts_utc if newest else None),
        "Net_Load_kW": finite(newest.net_load_kw if newest else None),
        **view.freshness(newest.ts_utc if newest else None),
    }


def forecast_view(reader: SeriesReader, view: Viewpoint) -> dict[str, object]:
    """The newest band as levels in kW, of the net load gross of our own assets."""
    newest = reader.latest_forecast(NATIVE_SITE)
    p10_kw, p50_kw, p90_kw = _levels_kw(newest) if newest else (None, None, None)
    return {
        "site": NATIVE_SITE,
        "issued_at": view.local(newest.issued_at if newest else None),
        "target_at": view.local(newest.target_at if newest else None),
        "level_p10_kw": p10_kw,
        "level_p50_kw": p50_kw,
        "level_p90_kw": p90_kw,
        "Predicted_30min_Change": finite(newest.p50_kw if newest else None),
        **view.freshness(newest.issued_at if newest else None),
    }


def _levels_kw(forecast: Forecast) -> tuple[float | None, float | None, float | None]:
    """P10, P50, P90 of the net load at the target: change + net load at issue."""
    base_kw = forecast.net_load_kw
    return (
        finite(base_kw + forecast.p10_kw),
        finite(base_kw + forecast.p50_kw),
        finite(base_kw + forecast.p90_kw),
    )


def price_view(reader: SeriesReader, view: Viewpoint, currency: str) -> dict[str, object]:
    """Prices per MWh of the interval that runs now; None where no quote covers it."""
    quotes = reader.quotes(AREA_SITE, view.now - LONGEST_INTERVAL, view.now + MICROSECOND)
    running = [quote for quote in quotes if view.now < quote.ts_utc + timedelta(seconds=quote.interval_s)]
    quote = running[-1] if running else None
    return {
        "currency": currency,
        "interval_start": view.local(quote.ts_utc if quote else None),
        "price_per_mwh": finite(quote.price_usd_per_mwh if quote else None),
        "da_price_per_mwh": finite(quote.da_price_usd_per_mwh if quote else None),
    }


def events_view(reader: SeriesReader, view: Viewpoint) -> list[dict[str, object]]:
    """The open instability events of all sites, the oldest of a site first."""
    return [
        {
            "event_id": event.event_id,
            "site": event.site,
            "kind": event.kind,
            "severity": event.severity,
            "cause_kw": finite(event.cause_kw),
            "started_at": view.local(event.started_at),
        }
        for site in reader.sites()
        for event in reader.events(site, view.now)
        if event.ended_at is None
    ]


def chart_view(reader: SeriesReader, view: Viewpoint) -> dict[str, object]:
    """The last hour of net load, and what was forecast for it and for the half hour to come.

    Times are milliseconds since 1970. A net-load point is ``[t, kW or None]``; a forecast point is
    ``[t, P10, P50, P90]`` in kW, placed at the time that it speaks of.
    """
    start, end = view.now - CHART_PAST, view.now + CHART_AHEAD
    issued = reader.forecasts(NATIVE_SITE, start - CHART_AHEAD, view.now + MICROSECOND)
    return {
        "start_ms": _ms(start),
        "now_ms": _ms(view.now),
        "end_ms": _ms(end),
        "net_load": {
            site: [
                [_ms(pulse.ts_utc), finite(pulse.net_load_kw)]
                for pulse in reader.telemetry(site, start, view.now + MICROSECOND)
            ]
            for site in (AREA_SITE, NATIVE_SITE)
        },
        "forecast": [
            [_ms(band.target_at), *_levels_kw(band)] for band in issued if start <= band.target_at <= end
        ],
    }


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
