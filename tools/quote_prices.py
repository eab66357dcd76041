"""quote_prices: prices that are known, the band to expect, and what stored energy is worth."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from pydantic import Field

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE
from grid.units import SECONDS_PER_HOUR
from policies.principal import SCOPE_READ
from tools.contract import SiteName, Tool, ToolContext, ToolInput, ToolOutput
from tools.expected_prices import day_mean, expected_prices, stored_energy_value
from tools.intervals import interval_start, local_day


class PricesRequest(ToolInput):
    """Which site, how far ahead."""

    site: SiteName = AREA_SITE
    hours_ahead: float = Field(24.0, description="hours of day-ahead prices to list", gt=0, le=48)
    resolution: Literal["interval", "1h"] = Field("1h", description="means of hours, or every interval")


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
    real_time_price_per_mwh: float | None = Field(description="at interval_start")
    day_ahead: list[DayAheadPrice] = Field(description="equal neighbours are merged")
    day_ahead_until: datetime | None = Field(description="end of the last entry")
    day_mean_price_per_mwh: float | None = Field(description="of the local day, real-time where known")
    expected_per_mwh: list[list[float]] = Field(description="mean, P10, P50, P90 by hour or interval")
    stored_energy_value_per_mwh: float | None = Field(description="of one more MWh")


def _steps(quotes: Iterable[PriceQuote]) -> tuple[list[DayAheadPrice], datetime | None]:
    """Day-ahead prices as steps: one entry where the price changes or a gap begins."""
    steps: list[DayAheadPrice] = []
    until: datetime | None = None
    last: float | None = None
    for quote in quotes:
        price = quote.da_price_usd_per_mwh
        if until is not None and quote.ts_utc > until and last is not None:
            steps.append(DayAheadPrice(from_utc=until, price_per_mwh=None))
            last = None
        if until is None or price != last:
            steps.append(DayAheadPrice(from_utc=quote.ts_utc, price_per_mwh=price))
            last = price
        until = quote.ts_utc + timedelta(seconds=quote.interval_s)
    if all(step.price_per_mwh is None for step in steps):
        return [], None
    return steps, until


def _by_hour(quotes: Iterable[PriceQuote]) -> list[PriceQuote]:
    """One quote an hour: the mean of the day-ahead prices known in it, over the time that they cover."""
    hourly = []
    for _, group in groupby(quotes, key=lambda quote: interval_start(quote.ts_utc, SECONDS_PER_HOUR)):
        members = list(group)
        known = [quote.da_price_usd_per_mwh for quote in members if quote.da_price_usd_per_mwh is not None]
        mean = sum(known) / len(known) if known else None
        length_s = (members[-1].ts_utc - members[0].ts_utc).total_seconds() + members[-1].interval_s
        hourly.append(replace(members[0], interval_s=length_s, da_price_usd_per_mwh=mean))
    return hourly


async def run(request: PricesRequest, context: ToolContext) -> PricesAnswer:
    """Answer with what is known now; a price that is missing stays missing."""
    site = context.site(request.site)
    start = interval_start(context.clock.now(), context.limits.interval_s)
    stop = start + timedelta(hours=request.hours_ahead)
    day_start, day_end = local_day(start, site.tz)
    # The market settles the area: a site within it has the area's prices.
    quotes = context.reader.quotes(site.parent or site.name, day_start, max(stop, day_end))
    ahead = [quote for quote in quotes if start <= quote.ts_utc < stop]
    steps, until = _steps(_by_hour(ahead) if request.resolution == "1h" else ahead)
    expected = expected_prices(context, quotes, request.hours_ahead)
    size = 1 if request.resolution == "interval" else max(1, round(SECONDS_PER_HOUR / expected.interval_s))
    now_quote = next((quote for quote in quotes if quote.ts_utc == start), None)
    return PricesAnswer(
        site=site.name,
        currency=context.currency,
        interval_start=start,
        interval_s=context.limits.interval_s,
        real_time_price_per_mwh=None if now_quote is None else now_quote.price_usd_per_mwh,
        day_ahead=steps,
        day_ahead_until=until,
        day_mean_price_per_mwh=day_mean(quotes, day_end),
        expected_per_mwh=expected.by_steps(size),
        stored_energy_value_per_mwh=stored_energy_value(context, expected),
    )


tool = Tool(
    name="quote_prices",
    title="Quote prices",
    description="Known prices, the band to expect, and what stored energy is worth, per MWh.",
    effect="read",
    scope=SCOPE_READ,
    input_model=PricesRequest,
    output_model=PricesAnswer,
    run=run,
    toolset="market",
)
