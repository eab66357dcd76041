"""The plant of the state directory's area as a device, and its time at any pace."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from grid.plant import PlantSimulator
from grid.synthetic import FINE_STEP_S
from smartgrid.device.plant_device import PlantDevice
from smartgrid.joined import area_of
from smartgrid.model_home import load_or_train
from smartgrid.settings import Settings
from smartgrid.simulated_area import SimulatedArea, local_date
from tools.intervals import interval_start


class PacedClock:
    """Time that starts at a moment and passes ``pace`` times as fast as life."""

    def __init__(self, start: datetime, pace: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._start, self._pace, self._monotonic = start, pace, monotonic
        self._zero_s = monotonic()

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return self._start + timedelta(seconds=(self._monotonic() - self._zero_s) * self._pace)


def area_device(settings: Settings, now: datetime, timeout_s: float) -> tuple[PlantDevice, datetime]:
    """The plant with the ratings that the area's limits give, its battery at the initial SoC.

    Args:
        settings: state directory, seed and limits; a model is trained where there is none.
        now: when the plant's time starts, cut to a whole pulse.
        timeout_s: how long a setpoint holds, in s of the plant's time.

    Returns:
        The plant and the start of its time.

    Raises:
        ModelError, LimitsError: if the model or the limits file cannot be used.
    """
    learnt = load_or_train(settings)
    limits = area_of(settings, learnt.model, learnt.outlook).limits
    area = SimulatedArea(settings.seed, learnt.price_model)
    begin = interval_start(now, FINE_STEP_S)
    today = area.day(local_date(begin))
    ahead = replace(today, frame=today.frame[today.frame.index >= begin])
    plant = PlantSimulator(ahead, limits.battery, limits.peaker)
    return PlantDevice(plant, area.day, timeout_s), begin
