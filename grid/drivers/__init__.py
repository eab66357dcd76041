"""Drivers: how setpoints reach the assets, and what the assets answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from grid.assets import BatteryState, PeakerState


@dataclass(frozen=True, slots=True)
class AssetReadings:
    """What the devices report.

    Energies, cycles and starts count since the device's beginning; what happened today is the
    difference between two readings.

    Attributes:
        ts_utc: when it was read.
        battery, peaker: their state.
        battery_setpoint_kw, peaker_setpoint_kw: what they were last asked to do.
    """

    ts_utc: datetime
    battery: BatteryState
    peaker: PeakerState
    battery_setpoint_kw: float
    peaker_setpoint_kw: float


class Driver(Protocol):
    """The only way to the devices; one process owns it."""

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        """Ask for a power from now on, in kW; positive injects into the grid (:mod:`grid.units`)."""
        ...

    def read(self) -> AssetReadings:
        """What the devices report now."""
        ...
