"""The plant of a state directory, as its owner finds it: simulated here, or devices behind Modbus."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dispatch.ledger import Ledger
from dispatch.plant_clock import plant_clock_of
from dispatch.readings import latest_report
from grid.clock import Clock, SimulatedClock
from grid.drivers.modbus import ModbusDriver
from grid.drivers.register_map import ModbusSettings
from grid.plant import PlantSimulator
from grid.synthetic import FINE_STEP_S
from policies.limits import PlantLimits
from smartgrid.endless_plant import EndlessPlant
from smartgrid.errors import RoleError
from smartgrid.metered_plant import MeteredClock, MeteredPlant
from smartgrid.plant_owner import MovingClock
from smartgrid.settings import Settings
from smartgrid.simulated_area import SimulatedArea, local_date
from tools.intervals import interval_start

CLOCKS_APART = timedelta(minutes=5)
"""How far the devices' clock may be behind the ledger's at the start."""


@dataclass(frozen=True, slots=True)
class MadePlant:
    """A plant with its clock.

    Attributes:
        plant: the plant; it has come to ``begin``.
        clock: at ``begin``.
        begin: where the plant stands.
        until: where it is played to at once.
    """

    plant: EndlessPlant | MeteredPlant
    clock: MovingClock
    begin: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class PlantMaker:
    """Makes the plant that the settings ask for.

    Attributes:
        settings: pace and devices.
        ledger: where the plant of before left off.
        limits: of the area.
        area: the simulated one: its load and weather, unless meters measure them, and its prices.
        wall: the machine's clock.
        warm_up: how long before it the simulated plant begins.
    """

    settings: Settings
    ledger: Ledger
    limits: PlantLimits
    area: SimulatedArea
    wall: Clock
    warm_up: timedelta

    def make(self, stack: AsyncExitStack) -> MadePlant:
        """The plant; its connections to devices are closed with ``stack``.

        Raises:
            DriverError: if devices are named and cannot be read, or have no meter.
            RoleError: if the devices' clock is far behind the ledger's.
        """
        if self.settings.modbus is not None:
            return self._behind_modbus(self.settings.modbus, stack)
        begin, until = self._span(interval_start(self.wall.now(), FINE_STEP_S))
        return MadePlant(self._simulated(begin), SimulatedClock(begin), begin, until)

    def _behind_modbus(self, modbus: ModbusSettings, stack: AsyncExitStack) -> MadePlant:
        driver = ModbusDriver(modbus, self.wall)
        stack.callback(driver.close)
        plant = MeteredPlant(driver, lambda moment: self.area.day(local_date(moment)))
        begin = self._not_behind(plant.now)
        return MadePlant(plant, MeteredClock(begin, FINE_STEP_S / self.settings.pulse_s), begin, begin)

    def _simulated(self, begin: datetime) -> EndlessPlant:
        """The simulated plant from ``begin`` on; its assets stand as the ledger saw them last."""
        with self.ledger.reading() as connection:
            report = latest_report(connection)
        day = self.area.day(local_date(begin))
        ahead = replace(day, frame=day.frame[day.frame.index >= begin])
        plant = PlantSimulator(ahead, self.limits.battery, self.limits.peaker)
        if report is not None:
            plant.restore(report.readings.battery, report.readings.peaker)
        return EndlessPlant(plant, self.area.day)

    def _come_to(self) -> datetime | None:
        """The plant's time at the last tick of any owner; None before the first."""
        with self.ledger.reading() as connection:
            reading = plant_clock_of(connection)
        return None if reading is None else reading.plant

    def _span(self, now: datetime) -> tuple[datetime, datetime]:
        """From when the plant plays, and until when at once; plant time never goes back."""
        come_to = self._come_to()
        return (
            (now - self.warm_up, now)
            if come_to is None
            else (max(now - self.warm_up, come_to), max(now, come_to))
        )

    def _not_behind(self, devices: datetime) -> datetime:
        """The time by the devices' clock; the ledger's where it is a little ahead, having gone on alone."""
        come_to = self._come_to()
        if come_to is None or devices >= come_to:
            return devices
        if come_to - devices > CLOCKS_APART:
            raise RoleError(
                f"the devices' clock shows {devices}, the plant of {self.ledger.path.parent} has come to "
                f"{come_to}: set the devices' clock, or choose another --state"
            )
        return come_to
