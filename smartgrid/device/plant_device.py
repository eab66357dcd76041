"""The plant as devices are: it takes setpoints, and goes to its safe state when nobody repeats them."""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Literal

from grid.drivers import AssetReadings, MeterReadings
from grid.plant import PlantSimulator
from grid.series import BaseSeries
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from smartgrid.endless_plant import EndlessPlant

Asset = Literal["battery", "peaker"]

SAFE_KW = 0.0
"""The battery goes to zero by its ramp, the peaker to its minimum, and off once its minimum up time ends."""

logger = logging.getLogger(__name__)


class PlantDevice:
    """A simulated plant with a time-out on each asset's setpoint.

    Invariants:
        An asset whose setpoint was not written for ``timeout_s`` of the plant's time has the safe one.
        When somebody looks makes no difference to what the plant does.

    Args:
        plant: at the start of its series.
        day_after: the series of a local date, for when the plant's own has been played.
        timeout_s: how long a setpoint holds, in s of the plant's time.
    """

    def __init__(
        self, plant: PlantSimulator, day_after: Callable[[date], BaseSeries], timeout_s: float
    ) -> None:
        self._plant = plant
        self._endless = EndlessPlant(plant, day_after)
        self._timeout = timedelta(seconds=timeout_s)
        self._due: dict[Asset, datetime] = {}
        self._pulses: dict[str, Telemetry] = {}

    def advance_to(self, moment: datetime) -> None:
        """Play on, with each setpoint until its time-out."""
        while self._due and (due := min(self._due.values())) <= moment:
            self._play_until(due)
            late = [asset for asset, at in self._due.items() if at <= due]
            for asset in late:
                del self._due[asset]
                self._set(asset, SAFE_KW)
            seconds = self._timeout.total_seconds()
            logger.warning(
                "no setpoint for %s in %g s: to the safe state at %s", " and ".join(late), seconds, due
            )
        self._play_until(moment)

    def set_points(self, wanted_kw: dict[Asset, float], moment: datetime) -> None:
        """Take setpoints, positive injects; each asset's time-out begins anew at ``moment``.

        Raises:
            PlantError: on one that is not a finite number.
        """
        self.advance_to(moment)
        before = self._plant.set_points_kw
        for asset, power_kw in wanted_kw.items():
            self._set(asset, power_kw)
            self._due[asset] = moment + self._timeout
        if self._plant.set_points_kw != before:
            logger.info("setpoints at %s: battery %r kW, peaker %r kW", moment, *self._plant.set_points_kw)

    def readings(self) -> AssetReadings:
        """What the assets report at the plant's own time."""
        return self._endless.driver.read()

    def metered(self) -> MeterReadings | None:
        """The newest pulse of the meters; None before the first one, and where its net load is missing."""
        area, native = self._pulses.get(AREA_SITE), self._pulses.get(NATIVE_SITE)
        if area is None or native is None or area.net_load_kw is None:
            return None
        parts = native.load_kw, native.solar_kw, native.wind_kw
        return MeterReadings(area.net_load_kw, *parts, area.frequency_hz)

    def _set(self, asset: Asset, power_kw: float) -> None:
        battery_kw, peaker_kw = self._plant.set_points_kw
        if asset == "battery":
            self._plant.set_points(power_kw, peaker_kw)
        else:
            self._plant.set_points(battery_kw, power_kw)

    def _play_until(self, moment: datetime) -> None:
        self._pulses |= {pulse.site: pulse for pulse in self._endless.play_until(moment)[-2:]}
