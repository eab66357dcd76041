"""What a series store can do: read by anybody, written by one stream and one plant's owner.

Invariants of every store:
    Writes are idempotent. The first telemetry and the first verdict of a site and stamp count, and the
    first forecast of a site, issue and target time. An event, a quote, a dispatch, a trade or a slot is
    replaced by its newer version, whole: events and slots by site and start, quotes by site and
    interval, dispatches and trades by site, asset and start.
    Lists are ordered by time, oldest first. Ranges are half open: ``start <= t < end``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.verdict import Verdict


@dataclass(frozen=True, slots=True)
class SlotSum:
    """What a slot of a site's seasonal memory held when it closed.

    Attributes:
        site: the meter.
        start: of the slot.
        quanta: sum of its net loads, in whole 1/1024 kW.
        count: how many they were, at least 1.
    """

    site: str
    start: datetime
    quanta: int
    count: int


FEATURE_STORE_ROWS = 50
"""How many observations of a site the feature store shows."""


class SeriesReader(Protocol):
    """Read access to telemetry, forecasts, quotes, events, dispatches and trades."""

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

    def open_events(self, at: datetime) -> dict[str, list[InstabilityEvent]]:
        """``events(site, at)`` of every site that has any, in one read."""
        ...

    def dispatches(self, site: str, start: datetime, end: datetime) -> list[AssetDispatch]:
        """What the assets did in the spans that begin in ``start <= t < end``, by start and asset."""
        ...

    def trades(self, site: str, start: datetime, end: datetime) -> list[EnergyTrade]:
        """What was sold and bought in the spans that begin in ``start <= t < end``, by start and asset."""
        ...


class OwnerWriter(Protocol):
    """What a plant's owner writes beside the stream."""

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        """Write price quotes; a newer quote of an interval replaces the older one."""
        ...

    def write_settled(self, dispatches: Sequence[AssetDispatch], trades: Sequence[EnergyTrade]) -> None:
        """Write what the assets did and what it was worth; a newer version of a span replaces the older."""
        ...


@runtime_checkable
class VerdictReader(Protocol):
    """Read access to what the stream found of pulses."""

    def verdicts(self, site: str, start: datetime, end: datetime) -> list[Verdict]:
        """Verdicts on the pulses with ``start <= ts_utc < end``."""
        ...


class SeriesStore(SeriesReader, VerdictReader, OwnerWriter, Protocol):
    """Read and write access; the stream alone reads slots."""

    def slots(self, site: str, start: datetime, end: datetime) -> list[SlotSum]:
        """Closed slots of the seasonal memory that begin in ``start <= t < end``."""
        ...

    def write(
        self,
        telemetry: Sequence[Telemetry],
        forecasts: Sequence[Forecast] = (),
        events: Sequence[InstabilityEvent] = (),
        slots: Sequence[SlotSum] = (),
        verdicts: Sequence[Verdict] = (),
    ) -> None:
        """Write all of it, or nothing; one process writes, unless the store says otherwise."""
        ...
