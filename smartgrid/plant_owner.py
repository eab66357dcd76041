"""The owner of a plant: plays it, publishes what the meters read, streams, and applies setpoints.

One process owns a plant (the lease). Pulses go the way that everybody's go: producer → stream →
engine → store; setpoints come from the ledger alone.
"""

import time
from collections.abc import Callable
from datetime import datetime

from dispatch.executor import Applied, Executor
from dispatch.lease import Lease
from grid.clock import SimulatedClock
from grid.drivers import AssetReadings
from grid.drivers.simulated import SimulatedDriver
from grid.plant import PlantSimulator
from pipeline.engine import BatchReport, StreamEngine
from pipeline.memory_stream import MemoryStream
from pipeline.model import ForecastModel
from pipeline.producer import publish
from pipeline.store import SeriesStore
from smartgrid.area import Workplace


class PlantOwner:
    """A simulated plant, its stream and its executor in one process.

    Args:
        plant: the plant.
        clock: the plant's clock, moved by :meth:`advance_to` alone.
        workplace: the ledger and the area's limits; its store is the one that is written.
        store: the series store.
        model: the in-stream model.
        lease: held already.
        hold_s: how long a setpoint is held until the next :meth:`act`; the interval when None.
        pace: seconds of the plant per second of wall time.
        on_batch: told what each drain of the stream did, and how many seconds it took.
    """

    def __init__(
        self,
        *,
        plant: PlantSimulator,
        clock: SimulatedClock,
        workplace: Workplace,
        store: SeriesStore,
        model: ForecastModel,
        lease: Lease,
        hold_s: float | None = None,
        pace: float = 1.0,
        on_batch: Callable[[BatchReport, float], None] = lambda _report, _seconds: None,
    ) -> None:
        area = workplace.area
        self._plant = plant
        self._clock = clock
        self._on_batch = on_batch
        self._stream = MemoryStream()
        self._engine = StreamEngine(self._stream, store, model, ramp_limit_kw=area.limits.ramp_limit_kw)
        self._driver = SimulatedDriver(plant)
        self._executor = Executor(
            workplace.ledger,
            self._driver,
            lease,
            area.limits,
            clock,
            price=workplace.observer.price_usd_per_mwh,
            zone=area.zone,
            interval_s=hold_s,
            pace=pace,
        )
        self._executor.reconcile()

    def advance_to(self, moment: datetime) -> int:
        """Play the plant until ``moment`` and stream what came in; the number of pulses."""
        count = publish(self._stream, self._plant.play_until(moment))
        self._clock.advance_to(moment)
        began_s = time.perf_counter()
        report = self._engine.drain()
        self._on_batch(report, time.perf_counter() - began_s)
        return count

    def act(self) -> Applied:
        """Merge the live proposals and set the assets."""
        return self._executor.tick()

    def report(self) -> None:
        """Record what the assets report, so that every process decides on it."""
        self._executor.report()

    def readings(self) -> AssetReadings:
        """What the assets report now."""
        return self._driver.read()
