"""The whole stack in one process: plant, stream, executor and supervisor, at a steady pace.

The plant is simulated here, unless the settings name devices behind Modbus. The stream is in memory
and the series are in SQLite, unless the settings name Kafka and InfluxDB: then this process is one
member of the stream's group, and what it reads is what any member wrote.
"""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

import anyio

from dispatch.lease import PLANT
from grid.clock import Clock, RealClock
from grid.drivers import DriverError
from grid.synthetic import FINE_STEP_S
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid_supervisor.daemon import Daemon
from pipeline.engine import StreamEngine
from pipeline.errors import StoreError
from smartgrid.area import Workplace
from smartgrid.console_link import console_address
from smartgrid.device_alarm import DeviceAlarm
from smartgrid.halt_file import obey_halt_file
from smartgrid.joined import area_of
from smartgrid.judging import judged
from smartgrid.ledger_access import make_ledger
from smartgrid.metered_plant import MeteredPlant
from smartgrid.model_home import load_or_train
from smartgrid.observability import StreamMetrics
from smartgrid.outbox import Outbox
from smartgrid.plant_making import PlantMaker
from smartgrid.plant_owner import PlantOwner
from smartgrid.plant_stream import STREAM_GROUP, plant_stream
from smartgrid.process_lease import take
from smartgrid.regulation import RegulationLibrary
from smartgrid.series_store import owner_store, stream_store
from smartgrid.settings import Settings
from smartgrid.simulated_area import SimulatedArea
from smartgrid.simulated_market import SimulatedMarket
from smartgrid.site_settings import site_rules
from smartgrid.store_probe import store_problem
from smartgrid.stream_watch import StreamWatch
from smartgrid.supervising import open_daemon
from tools.intervals import interval_start
from tools.registry import discover_tools

PULSE = timedelta(seconds=FINE_STEP_S)
WARM_UP = timedelta(hours=2)
"""Telemetry from before the start, so that the windows are full when somebody looks."""
WARM_UP_PATIENCE_S = 30.0
"""How long the group has to stream the warm-up: a member that died keeps its partitions for ten seconds."""
PULSE_PATIENCE_S = 1.0
"""How long it has to stream the last pulse of an interval, before the loops decide without it."""
_LOOK_AGAIN_S = 0.02
LOOKS_PER_PULSE = 2
"""How often devices are looked at, so that no pulse of theirs is missed."""

logger = logging.getLogger(__name__)


class EmbeddedPlant:
    """Owns a plant while its context is open; :meth:`run` lets its time pass.

    Args:
        settings: state directory, seed, pace, limits and devices.
        loops: which of the supervisor's loops run here.
        wall: the machine's clock, from which a new plant's time starts.
        group: consumer group of the stream, where it is on Kafka.
        prefix: put before the name of every topic there.
        stopped: once it is set, :meth:`run` ends after the pulse that has begun.

    Raises:
        RoleError: on opening, if another process owns the plant, runs the loops or writes its store, or the
            devices' clock is behind the plant's.
        DriverError: on opening, if devices are named and cannot be read.
        TransportError, StoreError: on opening, if Kafka or InfluxDB is named and cannot be used.
    """

    workplace: Workplace

    def __init__(
        self,
        settings: Settings,
        loops: tuple[str, ...],
        wall: Clock | None = None,
        *,
        group: str = STREAM_GROUP,
        prefix: str = "",
        stopped: anyio.Event | None = None,
    ) -> None:
        self._settings = settings
        self._stopped = stopped or anyio.Event()
        self._group, self._prefix = group, prefix
        self._wall = wall or RealClock()
        self._loops = loops
        self._stack = AsyncExitStack()
        self._daemon: Daemon | None = None
        self.metrics = StreamMetrics()

    async def __aenter__(self) -> Self:
        """Take the plant over, train a model where there is none, and play the warm-up."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        settings, stack = self._settings, self._stack
        ledger = make_ledger(settings)
        stack.callback(ledger.close)
        lease = take(stack, ledger, PLANT)
        learnt = load_or_train(settings)
        area = area_of(settings, learnt.model, learnt.outlook)
        streamed = stack.enter_context(stream_store(settings))
        reader = stack.enter_context(owner_store(settings, streamed))
        outbox = Outbox(reader)
        simulated = SimulatedArea(settings.seed, learnt.price_model)
        made = PlantMaker(settings, ledger, area.limits, simulated, self._wall, WARM_UP).make(stack)
        self._plant, self._clock, self._until = made.plant, made.clock, made.begin
        self._market = SimulatedMarket(simulated, outbox, area.limits.interval_s, made.begin)
        self.workplace = Workplace(
            area,
            ledger=ledger,
            reader=judged(reader, learnt.detector),
            clock=self._clock,
            tools=discover_tools().tools,
            knowledge=RegulationLibrary(settings.state),
            console=partial(console_address, settings),
        )
        self._alarm = DeviceAlarm(ledger, self._clock, lease)
        watch = StreamWatch(self.metrics, partial(store_problem, settings))
        engine_on = partial(
            StreamEngine,
            store=streamed,
            model=learnt.model,
            ramp_limit_kw=area.limits.ramp_limit_kw,
            sites=site_rules(settings.sites),
            lateness_s=settings.lateness_s,
        )
        stream = plant_stream(settings, engine_on, watch.round_done, group=self._group, prefix=self._prefix)
        self._stream = stack.enter_context(stream)
        self._owner = PlantOwner(
            plant=self._plant,
            clock=self._clock,
            workplace=self.workplace,
            writer=outbox,
            stream=self._stream,
            lease=lease,
            hold_s=FINE_STEP_S,
            pace=FINE_STEP_S / settings.pulse_s,
        )
        self.metrics.watch(self.workplace)
        await self._warm_up(made.until)
        if self._loops:
            self._daemon = await open_daemon(
                stack, self.workplace, settings, self._loops, self._interval_start
            )

    async def _warm_up(self, until: datetime) -> None:
        """Stream what was before, so that whoever looks finds full windows and known prices.

        Of devices that is what a process before this one has measured; on Kafka the stream keeps it itself.
        """
        if isinstance(self._plant, MeteredPlant) and self._settings.kafka is None:
            self._stream.take(self._measured(until))
        self._pass_time(until)
        await self._streamed(WARM_UP_PATIENCE_S)
        self._owner.act()

    def _measured(self, until: datetime) -> list[Telemetry]:
        reader = self.workplace.reader
        found = [
            pulse
            for site in (AREA_SITE, NATIVE_SITE)
            for pulse in reader.telemetry(site, until - WARM_UP, until)
        ]
        return sorted(found, key=lambda pulse: pulse.ts_utc)

    def _interval_start(self) -> datetime:
        return interval_start(self._clock.now(), self.workplace.area.limits.interval_s)

    async def run(self) -> None:
        """Let a pulse pass every ``pulse_s`` of wall time, until stopped or cancelled.

        Devices that cannot be reached end nothing: an alarm says so, and they are tried again.

        Raises:
            LeaseLostError: when another process took the plant over.
        """
        due_s = time.monotonic()
        while True:
            if isinstance(self._plant, MeteredPlant):  # what was missed is over; nothing is made up for
                due_s = max(due_s, time.monotonic()) + self._settings.pulse_s / LOOKS_PER_PULSE
            else:
                due_s += self._settings.pulse_s
            with anyio.move_on_after(max(0.0, due_s - time.monotonic())):
                await self._stopped.wait()
            if self._stopped.is_set():
                return
            await self.step()

    async def step(self) -> None:
        """One pulse: play or look, stream, quote, decide, act; nothing while the devices have no new one."""
        obey_halt_file(self._settings.state, self.workplace.ledger, self._clock.now())
        before = self._until
        problem = await self._go_on()
        if problem is None and self._until == before:
            return
        if self._daemon is not None:
            if problem is None and self._until == interval_start(
                self._until, self.workplace.area.limits.interval_s
            ):
                await self._streamed(PULSE_PATIENCE_S)
            await self._daemon.step()
        self._alarm.tell(problem or self._act())

    async def _go_on(self) -> DriverError | None:
        """Let the plant come to its next moment; what kept the devices from it."""
        try:
            moment = await self._next_moment()
            if moment > self._until:
                self._pass_time(moment)
                self._owner.report()
        except DriverError as error:
            self._market.pass_time(self._clock.now())
            return error
        return None

    def _act(self) -> DriverError | None:
        try:
            self._owner.act()
        except DriverError as error:
            return error
        return None

    async def _next_moment(self) -> datetime:
        if isinstance(self._plant, MeteredPlant):  # whoever is served must not wait for devices
            return await anyio.to_thread.run_sync(self._plant.look)
        return self._until + PULSE

    async def _streamed(self, patience_s: float) -> None:
        """Wait until the newest pulses can be read; after a while go on, and what is read counts as old.

        Args:
            patience_s: in s of wall time.
        """
        give_up_s = time.monotonic() + patience_s
        while not self._newest_are_read():
            if time.monotonic() > give_up_s:
                logger.warning("the newest pulses are not in the store after %g s", patience_s)
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _newest_are_read(self) -> bool:
        try:
            age_s = self.workplace.observer.telemetry_age_s()
        except StoreError:
            return False
        passed_s = (self._clock.now() - self._until).total_seconds()  # since the pulse, while we looked
        return age_s is not None and age_s <= FINE_STEP_S + passed_s

    def _pass_time(self, moment: datetime) -> None:
        """Play or take, and stream, until ``moment``, and publish the prices that become known on the way."""
        self._market.pass_time(moment)
        self._owner.advance_to(moment)
        self._until = moment
