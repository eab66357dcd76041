"""The whole stack in one process: simulated plant, stream, executor and supervisor, at a steady pace.

The stream is in memory and the series are in SQLite, unless the settings name Kafka and InfluxDB:
then this process is one member of the stream's group, and what it reads is what any member wrote.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self

from dispatch.lease import PLANT
from dispatch.ledger import Ledger
from dispatch.plant_clock import plant_clock_of
from dispatch.readings import latest_report
from grid.clock import Clock, RealClock, SimulatedClock
from grid.plant import PlantSimulator
from grid.synthetic import FINE_STEP_S
from grid_supervisor.daemon import Daemon
from pipeline.engine import StreamEngine
from pipeline.errors import StoreError
from smartgrid.area import Workplace
from smartgrid.joined import area_of
from smartgrid.judging import judged
from smartgrid.market_feed import MarketFeed
from smartgrid.model_home import load_or_train
from smartgrid.observability import StreamMetrics
from smartgrid.outbox import Outbox
from smartgrid.plant_owner import PlantOwner
from smartgrid.plant_stream import STREAM_GROUP, plant_stream
from smartgrid.process_lease import take
from smartgrid.regulation import RegulationLibrary
from smartgrid.series_store import owner_store, stream_store
from smartgrid.settings import Settings
from smartgrid.simulated_area import SimulatedArea, local_date, midnight
from smartgrid.site_settings import site_rules
from smartgrid.store_probe import store_problem
from smartgrid.stream_watch import StreamWatch
from smartgrid.supervising import open_daemon
from tools.intervals import interval_start
from tools.registry import discover_tools

PULSE = timedelta(seconds=FINE_STEP_S)
WARM_UP = timedelta(hours=2)
"""Telemetry from before the start, so that the windows are full when somebody looks."""
DAY_AHEAD_LEAD = timedelta(hours=12)
"""Tomorrow's day-ahead prices are known from noon, local time."""
WARM_UP_PATIENCE_S = 30.0
"""How long the group has to stream the warm-up: a member that died keeps its partitions for ten seconds."""
PULSE_PATIENCE_S = 1.0
"""How long it has to stream the last pulse of an interval, before the loops decide without it."""
_LOOK_AGAIN_S = 0.02

logger = logging.getLogger(__name__)


class EmbeddedPlant:
    """Owns a simulated plant while its context is open; :meth:`run` lets its time pass.

    Args:
        settings: state directory, seed, pace and limits.
        loops: which of the supervisor's loops run here.
        wall: the machine's clock, from which a new plant's time starts.
        group: consumer group of the stream, where it is on Kafka.
        prefix: put before the name of every topic there.

    Raises:
        RoleError: on opening, if another process owns the plant, runs the loops or writes its store.
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
    ) -> None:
        self._settings = settings
        self._group, self._prefix = group, prefix
        self._wall = wall or RealClock()
        self._loops = loops
        self._stack = AsyncExitStack()
        self._feeds: dict[date, MarketFeed] = {}
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
        ledger = Ledger(settings.state)
        stack.callback(ledger.close)
        lease = take(stack, ledger, PLANT)
        learnt = load_or_train(settings)
        area = area_of(settings, learnt.model, learnt.outlook)
        streamed = stack.enter_context(stream_store(settings))
        reader = stack.enter_context(owner_store(settings, streamed))
        self._outbox = Outbox(reader)
        self._simulated = SimulatedArea(settings.seed, learnt.price_model)
        begin, now = _span(ledger, self._wall.now())
        self._clock = SimulatedClock(begin)
        self.workplace = Workplace(
            area,
            ledger=ledger,
            reader=judged(reader, learnt.detector),
            clock=self._clock,
            tools=discover_tools().tools,
            knowledge=RegulationLibrary(settings.state),
        )
        self._plant = self._make_plant(begin)
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
        self._owner = PlantOwner(
            plant=self._plant,
            clock=self._clock,
            workplace=self.workplace,
            writer=self._outbox,
            stream=stack.enter_context(stream),
            lease=lease,
            hold_s=FINE_STEP_S,
            pace=FINE_STEP_S / settings.pulse_s,
        )
        self.metrics.watch(self.workplace)
        await self._warm_up(now)
        if self._loops:
            self._daemon = await open_daemon(stack, self.workplace, self._loops, self._interval_start)

    async def _warm_up(self, now: datetime) -> None:
        """Play what was before, so that whoever looks finds full windows and known prices."""
        running = self._interval_start()
        self._announce(local_date(running))
        self._quote(running)
        self._pass_time(now)
        await self._streamed(WARM_UP_PATIENCE_S)
        self._owner.act()

    def _make_plant(self, begin: datetime) -> PlantSimulator:
        """The plant from ``begin`` on; its assets stand as the ledger saw them last."""
        limits = self.workplace.area.limits
        with self.workplace.ledger.reading() as connection:
            report = latest_report(connection)
        self._last_day = local_date(begin)
        day = self._simulated.day(self._last_day)
        ahead = replace(day, frame=day.frame[day.frame.index >= begin])
        plant = PlantSimulator(ahead, limits.battery, limits.peaker)
        if report is not None:
            plant.restore(report.readings.battery, report.readings.peaker)
        return plant

    def _interval_start(self) -> datetime:
        return interval_start(self._clock.now(), self.workplace.area.limits.interval_s)

    async def run(self) -> None:
        """Let a pulse pass every ``pulse_s`` of wall time, until cancelled.

        Raises:
            LeaseLostError: when another process took the plant over.
        """
        due_s = time.monotonic()
        while True:
            due_s += self._settings.pulse_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self.step()

    async def step(self) -> None:
        """One pulse: play, stream, quote, decide, act."""
        self._pass_time(self._clock.now() + PULSE)
        self._owner.report()
        if self._daemon is not None:
            if self._clock.now() == self._interval_start():
                await self._streamed(PULSE_PATIENCE_S)
            await self._daemon.step()
        self._owner.act()

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
        return age_s is not None and age_s <= FINE_STEP_S

    def _pass_time(self, now: datetime) -> None:
        """Play and stream until ``now``, and publish the prices that become known on the way."""
        while midnight(self._last_day + timedelta(days=1)) <= now:
            self._last_day += timedelta(days=1)
            self._plant.extend(self._simulated.day(self._last_day))
        self._announce(local_date(now))
        self._announce(local_date(now + DAY_AHEAD_LEAD))
        for border in self._borders_until(now):
            self._quote(border)
        self._owner.advance_to(now)

    def _borders_until(self, now: datetime) -> Iterator[datetime]:
        """The borders of intervals between the clock and ``now``: their prices are known just before them."""
        interval = timedelta(seconds=self.workplace.area.limits.interval_s)
        border = self._interval_start() + interval
        while border <= now:
            yield border
            border += interval

    def _quote(self, border: datetime) -> None:
        """Publish the real-time price of the interval that begins at ``border``."""
        self._feeds[local_date(border)].quote_interval(border)

    def _announce(self, day: date) -> None:
        """Publish a day's day-ahead prices, once."""
        if day not in self._feeds:
            feed = MarketFeed(self._simulated.day(day), self._outbox)
            feed.announce_day(midnight(day), midnight(day + timedelta(days=1)))
            self._feeds = {known: kept for known, kept in self._feeds.items() if (day - known).days < 3}
            self._feeds[day] = feed


def _span(ledger: Ledger, wall: datetime) -> tuple[datetime, datetime]:
    """From when the plant plays, and until when at once; plant time never goes back."""
    now = interval_start(wall, FINE_STEP_S)
    with ledger.reading() as connection:
        reading = plant_clock_of(connection)
    if reading is None:
        return now - WARM_UP, now
    return max(now - WARM_UP, reading.plant), max(now, reading.plant)
