"""The embedded stack: simulated plant, stream, executor and supervisor in one process, at a steady pace."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
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
from pipeline.sqlite_store import SqliteStore
from smartgrid.area import Workplace
from smartgrid.joined import area_of
from smartgrid.market_feed import MarketFeed
from smartgrid.model_home import load_or_train
from smartgrid.observability import StreamMetrics
from smartgrid.plant_owner import PlantOwner
from smartgrid.process_lease import take
from smartgrid.settings import Settings
from smartgrid.simulated_area import SimulatedArea, local_date, midnight
from smartgrid.supervising import open_daemon
from tools.intervals import interval_start
from tools.registry import discover_tools

PULSE = timedelta(seconds=FINE_STEP_S)
WARM_UP = timedelta(hours=2)
"""Telemetry from before the start, so that the windows are full when somebody looks."""
DAY_AHEAD_LEAD = timedelta(hours=12)
"""Tomorrow's day-ahead prices are known from noon, local time."""


class EmbeddedPlant:
    """Owns a simulated plant while its context is open; :meth:`run` lets its time pass.

    Args:
        settings: state directory, seed, pace and limits.
        loops: which of the supervisor's loops run here.
        wall: the machine's clock, from which a new plant's time starts.

    Raises:
        RoleError: on opening, if another process owns the plant or runs the loops.
    """

    workplace: Workplace

    def __init__(self, settings: Settings, loops: tuple[str, ...], wall: Clock | None = None) -> None:
        self._settings = settings
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
        self._store = stack.enter_context(SqliteStore(settings.telemetry_db))
        self._simulated = SimulatedArea(settings.seed, learnt.price_model)
        begin, now = _span(ledger, self._wall.now())
        self._clock = SimulatedClock(begin)
        self.workplace = Workplace(
            area, ledger=ledger, reader=self._store, clock=self._clock, tools=discover_tools().tools
        )
        self._plant = self._make_plant(begin)
        self._owner = PlantOwner(
            plant=self._plant,
            clock=self._clock,
            workplace=self.workplace,
            store=self._store,
            model=learnt.model,
            lease=lease,
            hold_s=FINE_STEP_S,
            pace=FINE_STEP_S / settings.pulse_s,
            on_batch=self.metrics.count,
        )
        self.metrics.watch(self.workplace)
        running = self._interval_start()
        self._announce(local_date(running))
        self._quote(running)
        self._pass_time(now)
        self._owner.act()
        if self._loops:
            self._daemon = await open_daemon(stack, self.workplace, self._loops, self._interval_start)

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
            await self._daemon.step()
        self._owner.act()

    def _pass_time(self, now: datetime) -> None:
        """Play and stream until ``now``, and publish the prices that become known on the way."""
        before = self._clock.now()
        while midnight(self._last_day + timedelta(days=1)) <= now:
            self._last_day += timedelta(days=1)
            self._plant.extend(self._simulated.day(self._last_day))
        self._owner.advance_to(now)
        self._announce(local_date(now))
        self._announce(local_date(now + DAY_AHEAD_LEAD))
        border = self._interval_start()
        while border > before:
            self._quote(border)
            border -= timedelta(seconds=self.workplace.area.limits.interval_s)

    def _quote(self, border: datetime) -> None:
        """Publish the real-time price of the interval that begins at ``border``."""
        self._feeds[local_date(border)].quote_interval(border)

    def _announce(self, day: date) -> None:
        """Publish a day's day-ahead prices, once."""
        if day not in self._feeds:
            feed = MarketFeed(self._simulated.day(day), self._store)
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
