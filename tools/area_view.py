"""The view of the area that a policy decides on, from what a tool may see: as the supervisor builds it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE, NATIVE_SITE
from policies.principal import RESPONSE
from policies.view import ForecastView, GridView, PeakerStart
from tools.contract import AssetsView, ToolContext
from tools.current_forecast import current_forecast
from tools.errors import ToolUnavailableError
from tools.expected_course import expected_course
from tools.expected_prices import day_mean, expected_prices
from tools.freshness import age_s_of, is_stale
from tools.intervals import interval_start, local_day, past_means

OUTLOOK_HOURS = 24.0
HOURS_OF_PRICES = 36.0
EVENTS_LOOKED_BACK = timedelta(hours=24)


def area_view(context: ToolContext, assets: AssetsView, peaker_start: PeakerStart = "none") -> GridView:
    """The view at the border of the current interval.

    Args:
        context: reads the area at its clock's time.
        assets: their state at that time.
        peaker_start: whether a start waits for an operator, or may be carried out.

    Raises:
        ToolUnavailableError: before the assets' first report.
    """
    if assets.readings is None:
        raise ToolUnavailableError(
            "the assets have not reported yet; start the plant's owner, `smartgrid up`"
        )
    battery, peaker = assets.readings.battery, assets.readings.peaker
    limits, border = context.limits, interval_start(context.clock.now(), context.limits.interval_s)
    course = expected_course(context, OUTLOOK_HOURS)
    day_start, day_end = local_day(border, context.site(AREA_SITE).tz)
    until = max(border + timedelta(hours=HOURS_OF_PRICES), day_end)
    quotes = context.reader.quotes(AREA_SITE, day_start, until)
    forecast = _forecast(context)
    return GridView(
        now=border,
        interval_s=limits.interval_s,
        native_kw=tuple(past_means(context.reader, NATIVE_SITE, border, limits.interval_s)),
        metered_kw=tuple(past_means(context.reader, AREA_SITE, border, limits.interval_s)),
        forecast=forecast,
        event_id=_open_event(context),
        battery=limits.battery,
        soc_kwh=battery.soc_kwh,
        battery_kw=battery.power_kw,
        cycles_today=assets.cycles_today,
        peaker=limits.peaker,
        peaker_kw=peaker.power_kw,
        peaker_on=peaker.on,
        peaker_in_state_s=peaker.in_state_s,
        peaker_starts_today=assets.starts_today,
        price_usd_per_mwh=next((q.price_usd_per_mwh for q in quotes if q.ts_utc == border), None),
        prices_ahead=tuple(_day_ahead(quotes, border)),
        ramp_limit_kw=limits.ramp_limit_kw,
        outlook_kw=() if course is None or forecast is None else tuple(course.levels_kw),
        outlook_sigma_kw=() if course is None or forecast is None else tuple(course.sigma_kw),
        expected_usd_per_mwh=tuple(expected_prices(context, quotes, HOURS_OF_PRICES).mean.tolist()),
        settlement_price_usd_per_mwh=day_mean(quotes, day_end),
        peaker_start=peaker_start,
    )


def peaker_start_asked(context: ToolContext) -> PeakerStart:
    """Whether the response loop's start of the peaker waits for an operator, or may be carried out."""
    for asked in context.desk.approvals():
        if asked.asset == "peaker" and asked.requester == RESPONSE.subject:
            return "approved" if asked.state == "approved" else "pending"
    return "none"


def _forecast(context: ToolContext) -> ForecastView | None:
    made, site = context.reader.latest_forecast(NATIVE_SITE), context.site(NATIVE_SITE)
    if made is None or is_stale(context, site, age_s_of(context, made.issued_at)):
        return None
    held = current_forecast(context, made)
    return None if held is None else ForecastView(held.issued_at, held.p10_kw, held.p50_kw, held.p90_kw)


def _open_event(context: ToolContext) -> str | None:
    since = context.clock.now() - EVENTS_LOOKED_BACK
    found = (event for site in context.sites for event in context.reader.events(site, since))
    return next((event.event_id for event in found if event.ended_at is None), None)


def _day_ahead(quotes: list[PriceQuote], border: datetime) -> Iterator[tuple[datetime, float]]:
    until = border + timedelta(hours=HOURS_OF_PRICES)
    for quote in quotes:
        if border <= quote.ts_utc < until and quote.da_price_usd_per_mwh is not None:
            yield quote.ts_utc, quote.da_price_usd_per_mwh
