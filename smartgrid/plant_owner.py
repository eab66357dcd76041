"""The owner of a plant: plays it, publishes what the meters read, and applies setpoints.

One process owns a plant (the lease). Pulses go the way that everybody's go: producer → stream →
engine → store; setpoints come from the ledger alone. What the assets did follows their receipts
into the store.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from dispatch.executor import Applied, Executor
from dispatch.lease import Lease
from grid.clock import Clock
from grid.drivers import AssetReadings, Driver
from grid.drivers.simulated import SimulatedDriver
from grid.plant import PlantSimulator
from grid.telemetry import Telemetry
from pipeline.store import OwnerWriter
from smartgrid.area import Workplace
from smartgrid.asset_diary import AssetDiary
from smartgrid.interval_prices import IntervalPrices
from smartgrid.plant_stream import PlantStream
from tools.intervals import interval_start


class MovingClock(Clock, Protocol):
    """A clock that is told how far the plant has come."""

    def advance_to(self, moment: datetime) -> None:
        """Go on to ``moment``."""
        ...


class DrivenPlant(Protocol):
    """A plant with a driver to its assets."""

    @property
    def driver(self) -> Driver:
        """The way to its assets."""
        ...

    @property
    def now(self) -> datetime:
        """How far it has come."""
        ...

    def play_until(self, moment: datetime) -> list[Telemetry]:
        """The pulses that come in on the way to ``moment``."""
        ...


class PlantOwner:
    """A plant and its executor in one process, and the stream that its pulses go to.

    Args:
        plant: simulated here, or behind a driver.
        clock: the plant's clock, moved by :meth:`advance_to` alone.
        workplace: the ledger, the area's limits, and the store to read.
        writer: takes what the assets did.
        stream: takes the pulses.
        lease: held already.
        hold_s: how long a setpoint is held until the next :meth:`act`; the interval when None.
        pace: seconds of the plant per second of wall time.
    """

    def __init__(
        self,
        *,
        plant: PlantSimulator | DrivenPlant,
        clock: MovingClock,
        workplace: Workplace,
        writer: OwnerWriter,
        stream: PlantStream,
        lease: Lease,
        hold_s: float | None = None,
        pace: float = 1.0,
    ) -> None:
        area = workplace.area
        self._plant = plant
        self._clock = clock
        self._stream = stream
        self._interval_s = area.limits.interval_s
        self._driver = SimulatedDriver(plant) if isinstance(plant, PlantSimulator) else plant.driver
        self._prices = IntervalPrices(workplace.reader, self._interval_s)
        self._price = self._prices.at(clock.now())
        self._executor = Executor(
            workplace.ledger,
            self._driver,
            lease,
            area.limits,
            clock,
            price=lambda: self._price,
            zone=area.zone,
            interval_s=hold_s,
            pace=pace,
        )
        self._diary = AssetDiary(
            writer, workplace.ledger, self._prices.at, self._interval_s, self._driver.read()
        )
        self._executor.reconcile()

    def advance_to(self, moment: datetime) -> int:
        """Play the plant until ``moment`` and publish what came in; the number of pulses.

        Raises:
            DriverError: if the devices cannot be read now.
        """
        pulses: list[Telemetry] = []
        for border in self._borders_until(moment):
            pulses += self._plant.play_until(border)
            self._diary.enter(self._driver.read())
        pulses += self._plant.play_until(moment)
        self._clock.advance_to(moment)
        return self._stream.take(pulses)

    def _borders_until(self, moment: datetime) -> Iterator[datetime]:
        """The borders of the market's intervals that lie before ``moment``, or at it."""
        interval = timedelta(seconds=self._interval_s)
        border = interval_start(self._plant.now, self._interval_s) + interval
        while border <= moment:
            yield border
            border += interval

    def act(self) -> Applied:
        """Merge the live proposals and set the assets.

        Raises:
            DriverError: if the devices cannot be used now; what was intended then has no receipt.
        """
        self._look_up_price()
        applied = self._executor.tick()
        self._diary.follow(applied, self._driver.read())
        return applied

    def report(self) -> None:
        """Record what the assets report, so that every process decides on it.

        Raises:
            DriverError: if the devices cannot be read now.
        """
        self._look_up_price()
        self._executor.report()

    def _look_up_price(self) -> None:
        """The interval's price, before the ledger's transaction: nobody waits there for a store."""
        self._price = self._prices.at(self._clock.now())

    def readings(self) -> AssetReadings:
        """What the assets report now."""
        return self._driver.read()
