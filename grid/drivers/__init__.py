"""Drivers: how setpoints reach the assets, and what the assets answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from grid.assets import BatteryState, PeakerState
from grid.errors import GridError


class DriverError(GridError):
    """The devices cannot be used now; the text names them and says what to do."""


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


@dataclass(frozen=True, slots=True)
class MeterReadings:
    """What the meter of the interconnection measures, in the vocabulary of :mod:`grid.telemetry`.

    Attributes:
        net_load_kw: as metered, so with battery and peaker in it.
        load_kw, solar_kw, wind_kw: what lies behind it; None where it is not metered.
        frequency_hz: None where it is not measured.
    """

    net_load_kw: float
    load_kw: float | None = None
    solar_kw: float | None = None
    wind_kw: float | None = None
    frequency_hz: float | None = None


class Driver(Protocol):
    """The only way to the devices; one process owns it."""

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        """Ask for a power from now on, in kW; positive injects into the grid (:mod:`grid.units`).

        Raises:
            DriverError: if a device does not take it.
        """
        ...

    def read(self) -> AssetReadings:
        """What the devices report now.

        Raises:
            DriverError: if one does not answer.
        """
        ...

    def taken_kw(self, battery_kw: float, peaker_kw: float) -> tuple[float, float]:
        """What :meth:`read` reports as the setpoints once these were applied, since registers round.

        NaN stands for one that no register can hold, so that it was never applied.
        """
        ...
