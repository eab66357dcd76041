"""The plant of the state directory's area as a device, and its time at any pace."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from dispatch.errors import NoLedgerError
from dispatch.plant_clock import plant_clock_of
from grid.plant import PlantSimulator
from grid.synthetic import FINE_STEP_S
from smartgrid.device.plant_device import PlantDevice
from smartgrid.joined import area_of
from smartgrid.ledger_access import open_ledger
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


def area_device(settings: Settings, wall: datetime, timeout_s: float) -> tuple[PlantDevice, datetime]:
    """The plant with the ratings that the area's limits give, its battery at the initial SoC.

    Args:
        settings: state directory, seed and limits; a model is trained where there is none.
        wall: the machine's time. The plant's starts there, or where the ledger of the state directory
            has come to if that is later, cut to a whole pulse.
        timeout_s: how long a setpoint holds, in s of the plant's time.

    Returns:
        The plant, whose meters have measured once, and the start of its time.

    Raises:
        ModelError, LimitsError: if the model or the limits file cannot be used.
        LedgerError: if there is a ledger that cannot be read.
    """
    learnt = load_or_train(settings)
    limits = area_of(settings, learnt.model, learnt.outlook).limits
    area = SimulatedArea(settings.seed, learnt.price_model)
    begin = interval_start(max(wall, _come_to(settings, wall)), FINE_STEP_S)
    first = begin - timedelta(seconds=FINE_STEP_S)
    today = area.day(local_date(first))
    ahead = replace(today, frame=today.frame[today.frame.index >= first])
    device = PlantDevice(PlantSimulator(ahead, limits.battery, limits.peaker), area.day, timeout_s)
    device.advance_to(begin)
    return device, begin


def _come_to(settings: Settings, wall: datetime) -> datetime:
    """Where plant time is by the ledger: a plant that ran faster than life is ahead of the machine."""
    try:
        with open_ledger(settings) as ledger, ledger.reading() as connection:
            reading = plant_clock_of(connection)
    except NoLedgerError:
        return wall
    return wall if reading is None else reading.at(wall.timestamp())
