"""A simulated plant that goes on without an end: a local day of its area after the other."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from grid.drivers.simulated import SimulatedDriver
from grid.plant import PlantSimulator
from grid.series import BaseSeries
from grid.telemetry import Telemetry
from smartgrid.simulated_area import local_date, midnight


class EndlessPlant:
    """A plant whose series is prolonged whenever it is played past its last day.

    Args:
        plant: at the start of its series, which ends with the local day in which it starts.
        day_after: the series of a local date.
    """

    def __init__(self, plant: PlantSimulator, day_after: Callable[[date], BaseSeries]) -> None:
        self.plant = plant
        self.driver = SimulatedDriver(plant)
        self._day_after = day_after
        self._last_day = local_date(plant.now)

    @property
    def now(self) -> datetime:
        """How far the plant has been played."""
        return self.plant.now

    def play_until(self, moment: datetime) -> list[Telemetry]:
        """Play on to ``moment``; the pulses that have come in by then."""
        while midnight(self._last_day + timedelta(days=1)) <= moment:
            self._last_day += timedelta(days=1)
            self.plant.extend(self._day_after(self._last_day))
        return self.plant.play_until(moment)
