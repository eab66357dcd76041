"""Keeps the diary of the assets: what they did and what it was worth, as dispatches and trades.

A span begins at a border of a market interval, with a dispatch that changed something, or with the
process. While it lasts, each entry is its newer version; so a process that dies loses at most what
the assets did since its last entry. All that they did is in exactly one span: energies add up to
what the devices counted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from dispatch.executor import Applied
from dispatch.ledger import Ledger
from dispatch.schema import proposals
from grid.drivers import AssetReadings
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import AREA_SITE
from grid.units import SECONDS_PER_HOUR, cost_usd
from pipeline.store import OwnerWriter
from tools.intervals import interval_start


@dataclass(frozen=True, slots=True)
class _Behalf:
    """Of whom a setpoint comes; nobody before this process's first dispatch, or where it is the safe one."""

    dispatch_id: str | None = None
    proposal_id: str | None = None
    requester: str | None = None
    event_id: str | None = None


class AssetDiary:
    """Follows the assets from one reading to the next.

    Args:
        writer: takes the entries.
        ledger: knows who made a proposal.
        price: real-time price per MWh of the interval that holds a moment; None where it is missing.
        interval_s: length of a market interval in s.
        readings: of the devices now.
    """

    def __init__(
        self,
        writer: OwnerWriter,
        ledger: Ledger,
        price: Callable[[datetime], float | None],
        interval_s: float,
        readings: AssetReadings,
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._price = price
        self._interval_s = interval_s
        self._since = readings
        self._behalf = {"battery": _Behalf(), "peaker": _Behalf()}
        self._dispatch_id: str | None = None

    def enter(self, readings: AssetReadings) -> None:
        """Enter what the assets did until now; past a border the next span begins."""
        if readings.ts_utc > self._since.ts_utc:
            spans = list(self._spans(readings))
            self._writer.write_settled([done for done, _ in spans], [trade for _, trade in spans])
        if self._interval_of(readings) > self._interval_of(self._since):
            self._since = readings

    def follow(self, applied: Applied, readings: AssetReadings) -> None:
        """Enter what the assets did until a dispatch; a new one begins the next span.

        Args:
            applied: what the executor has just asked of the assets, with its receipt in the ledger.
            readings: at the same moment, after it.
        """
        self.enter(readings)
        if applied.dispatch_id != self._dispatch_id:
            self._since, self._dispatch_id = readings, applied.dispatch_id
            setpoints = applied.setpoints
            self._behalf = {
                "battery": self._behalf_of(applied.dispatch_id, setpoints.battery_proposals),
                "peaker": self._behalf_of(applied.dispatch_id, setpoints.peaker_proposals),
            }

    def _interval_of(self, readings: AssetReadings) -> datetime:
        return interval_start(readings.ts_utc, self._interval_s)

    def _behalf_of(self, dispatch_id: str, proposal_ids: Sequence[str]) -> _Behalf:
        """The proposal that set it first, and the first event that one of them answers."""
        if not proposal_ids:
            return _Behalf(dispatch_id)
        with self._ledger.reading() as connection:
            found = connection.execute(
                select(proposals.c.id, proposals.c.requester, proposals.c.event_id).where(
                    proposals.c.id.in_([int(number) for number in proposal_ids])
                )
            )
            made = {str(row.id): row for row in found}
        events = [made[number].event_id for number in proposal_ids if made[number].event_id]
        first = proposal_ids[0]
        return _Behalf(dispatch_id, first, made[first].requester, events[0] if events else None)

    def _spans(self, until: AssetReadings) -> Iterator[tuple[AssetDispatch, EnergyTrade]]:
        since = self._since
        before, after = since.battery, until.battery
        battery_kwh = _counted(before.discharged_kwh, after.discharged_kwh)
        battery_kwh -= _counted(before.charged_kwh, after.charged_kwh)
        peaker_kwh = _counted(since.peaker.generated_kwh, until.peaker.generated_kwh)
        price = self._price(since.ts_utc)
        yield self._span("battery", until, battery_kwh, since.battery_setpoint_kw, price)
        yield self._span("peaker", until, peaker_kwh, since.peaker_setpoint_kw, price)

    def _span(
        self, asset: str, until: AssetReadings, energy_kwh: float, setpoint_kw: float, price: float | None
    ) -> tuple[AssetDispatch, EnergyTrade]:
        start, behalf = self._since.ts_utc, self._behalf[asset]
        duration_s = (until.ts_utc - start).total_seconds()
        done = AssetDispatch(
            site=AREA_SITE,
            asset=asset,
            start=start,
            duration_s=duration_s,
            power_kw=energy_kwh * SECONDS_PER_HOUR / duration_s,
            setpoint_kw=setpoint_kw,
            dispatch_id=behalf.dispatch_id,
            proposal_id=behalf.proposal_id,
            requester=behalf.requester,
            event_id=behalf.event_id,
        )
        value_usd = None if price is None else cost_usd(energy_kwh, price)
        return done, EnergyTrade(AREA_SITE, asset, start, duration_s, energy_kwh, price, value_usd)


def _counted(before_kwh: float, after_kwh: float) -> float:
    """What a device counted in between; one that began to count anew counts from zero."""
    return after_kwh - before_kwh if after_kwh >= before_kwh else after_kwh
