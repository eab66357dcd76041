"""What a series store can do: read by anybody, written by one stream.

Invariants of every store:
    Writes are idempotent. The first telemetry of a site and stamp counts and the first forecast
    of a site, issue and target time counts; an event or a quote is replaced by its newer version.
    Lists are ordered by time, oldest first. Ranges are half open: ``start <= t < end``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from grid.market import PriceQuote
from grid.telemetry import Telemetry
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent

FEATURE_STORE_ROWS = 50
"""How many observations of a site the feature store shows."""


class SeriesReader(Protocol):
    """Read access to telemetry, forecasts, quotes and events."""

    def sites(self) -> list[str]:
        """Sites with telemetry, sorted."""
        ...

    def latest(self, site: str, n: int = FEATURE_STORE_ROWS) -> list[Telemetry]:
        """The newest ``n`` observations of a site, oldest first."""
        ...

    def telemetry(self, site: str, start: datetime, end: datetime) -> list[Telemetry]:
        """Observations with ``start <= ts_utc < end``."""
        ...

    def latest_forecast(self, site: str) -> Forecast | None:
        """The newest forecast, however old it is: check its ``issued_at`` before acting on it."""
        ...

    def forecasts(self, site: str, start: datetime, end: datetime) -> list[Forecast]:
        """Forecasts with ``start <= issued_at < end``."""
        ...

    def quotes(self, site: str, start: datetime, end: datetime) -> list[PriceQuote]:
        """Quotes of the intervals that begin in ``start <= ts_utc < end``."""
        ...

    def events(self, site: str, since: datetime) -> list[InstabilityEvent]:
        """Instability events that are open, or ended at or after ``since``."""
        ...


class SeriesStore(SeriesReader, Protocol):
    """Read and write access; one process writes."""

    def write(
        self,
        telemetry: Sequence[Telemetry],
        forecasts: Sequence[Forecast] = (),
        events: Sequence[InstabilityEvent] = (),
    ) -> None:
        """Write all of it, or nothing."""
        ...

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        """Write price quotes; a newer quote of an interval replaces the older one."""
        ...
