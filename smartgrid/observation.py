"""What the guardrails are told of the area: age and trust of its telemetry, the price, an emergency."""

from datetime import timedelta

from dispatch.service import Observation
from grid.clock import Clock
from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.store import SeriesReader
from pipeline.trust import assess
from tools.intervals import interval_start


class Observer:
    """Looks at the store whenever a proposal is judged."""

    def __init__(self, reader: SeriesReader, clock: Clock, interval_s: float) -> None:
        self._reader = reader
        self._clock = clock
        self._interval_s = interval_s

    def observe(self) -> Observation:
        """The area now.

        The trust is in the native series, which our own dispatches do not move, or in what stands in for it.
        """
        now = self._clock.now()
        open_events = [
            event
            for event in self._reader.events(AREA_SITE, now + timedelta(days=1))
            if event.ended_at is None
        ]
        return Observation(
            telemetry_age_s=self.telemetry_age_s(),
            trust=assess(self._reader, NATIVE_SITE, now).reliance,
            price_usd_per_mwh=self.price_usd_per_mwh(),
            emergency=any(event.severity == "critical" for event in open_events),
        )

    def price_usd_per_mwh(self) -> float | None:
        """The real-time price of the current interval; None when missing."""
        start = interval_start(self._clock.now(), self._interval_s)
        quotes = self._reader.quotes(AREA_SITE, start, start + timedelta(seconds=self._interval_s))
        return quotes[0].price_usd_per_mwh if quotes else None

    def telemetry_age_s(self) -> float | None:
        """Age of the newest pulse of the site that is silent for longest; None where one never spoke."""
        now, ages = self._clock.now(), []
        for site in (AREA_SITE, NATIVE_SITE):
            newest = self._reader.latest(site, 1)
            if not newest:
                return None
            ages.append((now - newest[-1].ts_utc).total_seconds())
        return max(ages)
