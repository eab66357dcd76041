"""What the assets really did in each interval of a day, from what the devices report at its borders."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from grid.drivers import AssetReadings
from grid.units import SECONDS_PER_HOUR
from smartgrid.day.result import FloatArray


@dataclass
class AssetRecording:
    """Readings at the borders of the intervals, the first at the day's start."""

    readings: list[AssetReadings] = field(default_factory=list)

    def add(self, readings: AssetReadings) -> None:
        """Take the readings at a border."""
        self.readings.append(readings)

    def times(self) -> tuple[datetime, ...]:
        """The intervals' starts."""
        return tuple(reading.ts_utc for reading in self.readings[:-1])

    def battery_kw(self) -> FloatArray:
        """Mean metered power of each interval, positive discharges."""
        return self._mean_kw([at.battery.discharged_kwh - at.battery.charged_kwh for at in self.readings])

    def peaker_kw(self) -> FloatArray:
        """Mean metered power of each interval."""
        return self._mean_kw([at.peaker.generated_kwh for at in self.readings])

    def soc_kwh(self) -> FloatArray:
        """Stored energy at each interval's end."""
        return np.array([at.battery.soc_kwh for at in self.readings[1:]])

    def _mean_kw(self, energy_kwh: list[float]) -> FloatArray:
        at_s = np.array([at.ts_utc.timestamp() for at in self.readings])
        return np.asarray(np.diff(np.array(energy_kwh)) / (np.diff(at_s) / SECONDS_PER_HOUR))
