"""A reader as it was at an earlier moment: what was not known then is not there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import AREA_SITE, Telemetry
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.judged_reader import Judgement, judging
from pipeline.store import FEATURE_STORE_ROWS, SeriesReader
from tools.contract import SiteInfo

_LOOK_BACK = timedelta(days=2)
_SMALLEST = timedelta(microseconds=1)
_DAY_AHEAD_FROM = time(12)
"""Tomorrow's day-ahead prices are known from noon, local time."""


class AsOfReader:
    """A :class:`pipeline.store.SeriesReader` that knows nothing from after ``at``.

    A pulse is known when its interval has ended, and with it its forecast; a real-time price when its
    interval begins; a day-ahead price from noon of the local day before. Whether a pulse came late is
    not in the store: one that did is taken as known.

    Args:
        reader: knows everything.
        at: the moment.
        sites: their cadences and time zones.
        forecast_issued_at: of the newest forecast that was used, where that is known.
    """

    def __init__(
        self,
        reader: SeriesReader,
        at: datetime,
        sites: Mapping[str, SiteInfo],
        forecast_issued_at: datetime | None = None,
    ) -> None:
        self._reader = reader
        self._forecast_issued_at = forecast_issued_at or at
        self._at = at
        self._sites = sites

    @property
    def whole(self) -> SeriesReader:
        """The reader that knows everything."""
        return self._reader

    def _stamps_before(self, site: str) -> datetime:
        """Pulses with an earlier stamp had ended."""
        cadence_s = self._sites[site].cadence_s if site in self._sites else 0.0
        return self._at - timedelta(seconds=cadence_s) + _SMALLEST

    def sites(self) -> list[str]:
        """Sites with telemetry, sorted."""
        return self._reader.sites()

    def latest(self, site: str, n: int = FEATURE_STORE_ROWS) -> list[Telemetry]:
        """The newest observations then, oldest first."""
        return self.telemetry(site, self._at - _LOOK_BACK, self._at)[-n:]

    def telemetry(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Observations in the range that were known."""
        return self._reader.telemetry(site, start, min(end, self._stamps_before(site)))

    def judge(self, site: str, recent: Sequence[Telemetry]) -> Judgement | None:  # noqa: ARG002  the protocol's
        """None: how a pulse is judged today is not how it was judged then."""
        return None

    def believed(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """The same as far as it was believed, if anything judged it."""
        judge = judging(self._reader)
        before = min(end, self._stamps_before(site))
        return self.telemetry(site, start, end) if judge is None else judge.believed(site, start, before)

    def moved_kw(self, site: str, start: datetime, end: datetime) -> dict[datetime, float]:
        """Where it was not believed: what was less what was measured."""
        judge = judging(self._reader)
        return {} if judge is None else judge.moved_kw(site, start, min(end, self._stamps_before(site)))

    def latest_forecast(self, site: str) -> Forecast | None:
        """The newest forecast then."""
        found = self.forecasts(site, self._at - _LOOK_BACK, self._forecast_issued_at + _SMALLEST)
        return found[-1] if found else None

    def forecasts(self, site: str, start: datetime, end: datetime) -> list[Forecast]:
        """Forecasts in the range that were issued."""
        return self._reader.forecasts(site, start, min(end, self._stamps_before(site)))

    def quotes(self, site: str, start: datetime, end: datetime) -> list[PriceQuote]:
        """Quotes of the range, with the prices that were known."""
        known_until = self._day_ahead_until(site)
        found = self._reader.quotes(site, start, min(end, known_until))
        return [
            quote if quote.ts_utc <= self._at else replace(quote, price_usd_per_mwh=None) for quote in found
        ]

    def _day_ahead_until(self, site: str) -> datetime:
        area = self._sites.get(site) or self._sites.get(AREA_SITE)
        zone = ZoneInfo("UTC" if area is None else area.tz)
        local = self._at.astimezone(zone)
        days = 2 if local.time() >= _DAY_AHEAD_FROM else 1
        return datetime.combine(local.date() + timedelta(days=days), time(), tzinfo=zone)

    def events(self, site: str, since: datetime) -> list[InstabilityEvent]:
        """Events that had begun, open where they ended later."""
        before = self._stamps_before(site)
        return [
            event if event.ended_at is None or event.ended_at < before else replace(event, ended_at=None)
            for event in self._reader.events(site, min(since, before))
            if event.started_at < before and (event.ended_at is None or event.ended_at >= min(since, before))
        ]

    def open_events(self, at: datetime) -> dict[str, list[InstabilityEvent]]:
        """``events(site, at)`` of every site that has any."""
        found = {site: self.events(site, at) for site in self.sites()}
        return {site: events for site, events in found.items() if events}

    def dispatches(self, site: str, start: datetime, end: datetime) -> list[AssetDispatch]:
        """Spans that had begun."""
        return self._reader.dispatches(site, start, min(end, self._at))

    def trades(self, site: str, start: datetime, end: datetime) -> list[EnergyTrade]:
        """Spans that had begun."""
        return self._reader.trades(site, start, min(end, self._at))


class StandingClock:
    """A clock that shows one moment."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """That moment."""
        return self._at
