"""The real-time price of each interval, asked of the store until it is known."""

from datetime import datetime, timedelta

from grid.telemetry import AREA_SITE
from pipeline.errors import StoreError
from pipeline.store import SeriesReader
from tools.intervals import interval_start

_REMEMBERED = 4


class IntervalPrices:
    """Prices for who needs them at every pulse, and must not fail where the store is away.

    Args:
        reader: of the quotes; a price that it once gave is not asked for again.
        interval_s: length of a market interval in s.
    """

    def __init__(self, reader: SeriesReader, interval_s: float) -> None:
        self._reader = reader
        self._interval = timedelta(seconds=interval_s)
        self._known: dict[datetime, float] = {}

    def at(self, moment: datetime) -> float | None:
        """Price per MWh of the interval that holds ``moment``; None where it is missing, or out of reach."""
        start = interval_start(moment, self._interval.total_seconds())
        if start not in self._known and (price := self._read(start)) is not None:
            newest = sorted([*self._known, start])[-_REMEMBERED:]
            self._known = {at: known for at, known in {**self._known, start: price}.items() if at in newest}
        return self._known.get(start)

    def _read(self, start: datetime) -> float | None:
        try:
            quotes = self._reader.quotes(AREA_SITE, start, start + self._interval)
        except StoreError:
            return None
        return quotes[0].price_usd_per_mwh if quotes else None
