"""A plant behind a driver: its clock is the devices' own, its telemetry what its meter measures."""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from dispatch.plant_clock import ClockReading
from grid.drivers import AssetReadings, Driver, DriverError, MeterReadings
from grid.series import BaseSeries
from grid.synthetic import FINE_STEP_S
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid.units import metered_net_load_kw
from tools.intervals import interval_start

PULSE = timedelta(seconds=FINE_STEP_S)


class MeteringDriver(Driver, Protocol):
    """A driver that reads the meter of the interconnection too, at the moment of the assets."""

    def look(self) -> tuple[AssetReadings, MeterReadings | None]:
        """What assets and meter report now; None where there is no meter.

        Raises:
            DriverError: if one does not answer.
        """
        ...


class MeteredClock:
    """Plant time between two looks at the devices: it goes on from the last one, and never back.

    So telemetry grows old while the devices are away.

    Args:
        begin: the plant's time now.
        pace: seconds of the plant per second of wall time.
        monotonic: wall seconds that only grow.
    """

    def __init__(self, begin: datetime, pace: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pace, self._monotonic = pace, monotonic
        self._lock = threading.Lock()
        self._looked = ClockReading(begin, monotonic(), pace)
        self._told = begin

    def now(self) -> datetime:
        """The plant's time, aware, in UTC."""
        with self._lock:
            self._told = max(self._told, self._looked.at(self._monotonic()))
            return self._told

    def advance_to(self, moment: datetime) -> None:
        """Go on from a moment that the devices' clock showed just now."""
        with self._lock:
            self._looked = ClockReading(moment, self._monotonic(), self._pace)
            self._told = max(self._told, moment)


class MeteredPlant:
    """What a plant's owner needs of devices: :meth:`look` asks them, :meth:`play_until` hands out pulses.

    Invariants:
        No pulse twice, none out of order. Native = metered + battery + peaker, of one look.

    Args:
        driver: of the devices.
        day_of: the priced series of the day that holds a moment; the prices in the pulses come from it.

    Raises:
        DriverError: if the devices cannot be read now, or no meter is among them.
    """

    def __init__(self, driver: MeteringDriver, day_of: Callable[[datetime], BaseSeries]) -> None:
        self.driver = driver
        self._day_of = day_of
        self._last_pulse = datetime.min.replace(tzinfo=UTC)
        self._waiting: list[Telemetry] = []
        self.now = self.look()

    def look(self) -> datetime:
        """Ask the devices; the moment that their clock shows.

        Raises:
            DriverError: if they cannot be read now, or their clock went back.
        """
        readings, metered = self.driver.look()
        if metered is None:
            raise DriverError(
                "modbus.meter: none is named, so that nobody measures the area; give its host and registers"
            )
        start = interval_start(readings.ts_utc, FINE_STEP_S) - PULSE
        if start < self._last_pulse:
            raise DriverError(
                f"the devices' clock went back from {self._last_pulse + PULSE} to {readings.ts_utc}: set it, "
                "or wait until it has come there again"
            )
        if start > self._last_pulse:
            self._last_pulse = start
            self._waiting += self._pulses(start, readings, metered)
        return readings.ts_utc

    def play_until(self, moment: datetime) -> list[Telemetry]:
        """The pulses that have come in until ``moment`` and were not handed out yet."""
        pulses = [pulse for pulse in self._waiting if pulse.ts_utc + PULSE <= moment]
        self._waiting = self._waiting[len(pulses) :]
        self.now = max(self.now, moment)
        return pulses

    def _pulses(self, start: datetime, readings: AssetReadings, metered: MeterReadings) -> list[Telemetry]:
        """What meters would have sent at the end of the pulse that began at ``start``."""
        price, da_price = self._prices(start)
        assets_kw = readings.battery.power_kw, readings.peaker.power_kw
        # The native load is what the meter would show if the assets' power were taken away again.
        native_kw = metered_net_load_kw(metered.net_load_kw, *(-power_kw for power_kw in assets_kw))
        area = Telemetry(
            AREA_SITE,
            start,
            net_load_kw=metered.net_load_kw,
            price_usd_per_mwh=price,
            da_price_usd_per_mwh=da_price,
            frequency_hz=metered.frequency_hz,
        )
        parts = metered.load_kw, metered.solar_kw, metered.wind_kw
        return [area, Telemetry(NATIVE_SITE, start, *parts, native_kw, price, da_price)]

    def _prices(self, start: datetime) -> tuple[float | None, float | None]:
        frame = self._day_of(start).frame
        row = frame.reindex([pd.Timestamp(start)], columns=["price_usd_per_mwh", "da_price_usd_per_mwh"])
        price, da_price = row.to_numpy(dtype=np.float64)[0].tolist()
        return None if math.isnan(price) else price, None if math.isnan(da_price) else da_price
