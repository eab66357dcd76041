"""The driver of the simulated plant."""

from grid.drivers import AssetReadings
from grid.plant import PlantSimulator


class SimulatedDriver:
    """Takes setpoints to a :class:`~grid.plant.PlantSimulator` and reads its assets."""

    def __init__(self, plant: PlantSimulator) -> None:
        self._plant = plant

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        """Ask for a power from now on, in kW; positive injects into the grid.

        Raises:
            PlantError: on a setpoint that is not a finite number.
        """
        self._plant.set_points(battery_kw, peaker_kw)

    def read(self) -> AssetReadings:
        """What the assets report at the plant's own time."""
        return AssetReadings(
            self._plant.now, self._plant.battery, self._plant.peaker, *self._plant.set_points_kw
        )

    def taken_kw(self, battery_kw: float, peaker_kw: float) -> tuple[float, float]:
        """The simulated plant keeps setpoints as they are."""
        return battery_kw, peaker_kw
