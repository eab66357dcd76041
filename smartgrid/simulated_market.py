"""The simulated area's market: its prices, published as they become known while the plant's time passes."""

from datetime import date, datetime, timedelta

from pipeline.store import OwnerWriter
from smartgrid.market_feed import MarketFeed
from smartgrid.simulated_area import SimulatedArea, local_date, midnight
from tools.intervals import interval_start

DAY_AHEAD_LEAD = timedelta(hours=12)
"""Tomorrow's day-ahead prices are known from noon, local time."""
_DAYS_KEPT = 3


class SimulatedMarket:
    """Quotes each interval just before it begins, and each day's day-ahead prices from noon before it.

    Args:
        area: whose prices.
        writer: takes the quotes.
        interval_s: length of a market interval in s.
        begin: the plant's time now; the interval that runs is quoted by the first :meth:`pass_time`.
    """

    def __init__(self, area: SimulatedArea, writer: OwnerWriter, interval_s: float, begin: datetime) -> None:
        self._area = area
        self._writer = writer
        self._interval = timedelta(seconds=interval_s)
        self._feeds: dict[date, MarketFeed] = {}
        self._next = interval_start(begin, interval_s)

    def pass_time(self, now: datetime) -> None:
        """Publish what became known until ``now``."""
        while self._next <= now:
            self._feed(local_date(self._next)).quote_interval(self._next)
            self._next += self._interval
        self._feed(local_date(now))
        self._feed(local_date(now + DAY_AHEAD_LEAD))

    def _feed(self, day: date) -> MarketFeed:
        """The feed of a day, whose day-ahead prices are published once."""
        if day not in self._feeds:
            feed = MarketFeed(self._area.day(day), self._writer)
            feed.announce_day(midnight(day), midnight(day + timedelta(days=1)))
            self._feeds = {
                known: kept for known, kept in self._feeds.items() if (day - known).days < _DAYS_KEPT
            }
            self._feeds[day] = feed
        return self._feeds[day]
