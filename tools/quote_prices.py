"""quote_prices: the real-time price of the coming interval and the day-ahead prices known."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import Field

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE
from policies.principal import SCOPE_READ
from tools.contract import SiteName, Tool, ToolContext, ToolInput, ToolOutput
from tools.intervals import interval_start, local_day


class PricesRequest(ToolInput):
    """Which site, how far ahead."""

    site: SiteName = AREA_SITE
    hours_ahead: float = Field(24.0, description="hours of day-ahead prices to list", gt=0, le=48)


class DayAheadPrice(ToolOutput):
    """A day-ahead price that holds from ``from_utc`` until the next entry; None is not known."""

    from_utc: datetime
    price_per_mwh: float | None


class PricesAnswer(ToolOutput):
    """Prices per MWh in ``currency``; None is not known."""

    site: str
    currency: str
    interval_start: datetime
    interval_s: float
    real_time_price_per_mwh: float | None = Field(description="of the interval that starts at interval_start")
    day_ahead: list[DayAheadPrice] = Field(description="from interval_start on; equal neighbours are merged")
    day_ahead_until: datetime | None = Field(description="end of the last entry")
    day_mean_price_per_mwh: float | None = Field(
        description="expected mean of the local day: real-time prices as far as known, day-ahead ones after"
    )


def _steps(quotes: Iterable[PriceQuote]) -> tuple[list[DayAheadPrice], datetime | None]:
    """Day-ahead prices as steps: one entry where the price changes or a gap begins."""
    steps: list[DayAheadPrice] = []
    until: datetime | None = None
    for quote in quotes:
        if until is not None and quote.ts_utc > until:
            _extend(steps, until, None)
        _extend(steps, quote.ts_utc, quote.da_price_usd_per_mwh)
        until = quote.ts_utc + timedelta(seconds=quote.interval_s)
    if all(step.price_per_mwh is None for step in steps):
        return [], None
    return steps, until


def _extend(steps: list[DayAheadPrice], from_utc: datetime, price_per_mwh: float | None) -> None:
    if not steps or steps[-1].price_per_mwh != price_per_mwh:
        steps.append(DayAheadPrice(from_utc=from_utc, price_per_mwh=price_per_mwh))


def _day_mean(quotes: Iterable[PriceQuote]) -> float | None:
    known = [
        quote.da_price_usd_per_mwh if quote.price_usd_per_mwh is None else quote.price_usd_per_mwh
        for quote in quotes
    ]
    values = [value for value in known if value is not None]
    return sum(values) / len(values) if values else None


async def run(request: PricesRequest, context: ToolContext) -> PricesAnswer:
    """Answer with what is known now; a price that is missing stays missing."""
    site = context.site(request.site)
    start = interval_start(context.clock.now(), context.limits.interval_s)
    stop = start + timedelta(hours=request.hours_ahead)
    day_start, day_end = local_day(start, site.tz)
    quotes = context.reader.quotes(site.name, day_start, max(stop, day_end))
    steps, until = _steps(quote for quote in quotes if start <= quote.ts_utc < stop)
    now_quote = next((quote for quote in quotes if quote.ts_utc == start), None)
    return PricesAnswer(
        site=site.name,
        currency=context.currency,
        interval_start=start,
        interval_s=context.limits.interval_s,
        real_time_price_per_mwh=None if now_quote is None else now_quote.price_usd_per_mwh,
        day_ahead=steps,
        day_ahead_until=until,
        day_mean_price_per_mwh=_day_mean(quote for quote in quotes if quote.ts_utc < day_end),
    )


tool = Tool(
    name="quote_prices",
    title="Quote prices",
    description="Real-time price of the coming interval and the day-ahead prices that are known, per MWh.",
    effect="read",
    scope=SCOPE_READ,
    input_model=PricesRequest,
    output_model=PricesAnswer,
    run=run,
)
