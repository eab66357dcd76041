"""A small area with everything real between a loop and the devices; forecasts and decisions are scripted."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from mcp import Client
from sqlalchemy import Row, select

from dispatch.approvals import Approvals
from dispatch.executor import Executor
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.receipts import Setpoints
from dispatch.schema import proposals
from grid.clock import SimulatedClock
from grid.drivers.simulated import SimulatedDriver
from grid.market import PriceQuote
from grid.plant import PlantSimulator
from grid.series import BaseSeries
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid_supervisor.loop import Loop, Policy
from grid_supervisor.supervisor import POLICIES, Supervisor
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from policies.limits import Limits, Scale
from policies.principal import RESPONSE, TRADING, Principal
from policies.view import Decision, GridView
from smartgrid.area import Area, Workplace
from smartgrid.supervising import open_supervisor
from tools.contract import Tool
from tools.registry import discover_tools

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
LEVEL_KW = 10_000.0
PRICE_USD_PER_MWH = 40.0
SCALE = Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0)
"""Both assets have 1 MW; the battery stores 2 MWh, the peaker runs at 300 kW at least."""
CALM = (-400.0, 0.0, 400.0)
"""P10, P50 and P90 of the scripted forecast."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def level_series(rise_kw: float = 0.0) -> BaseSeries:
    """Net load around :data:`LEVEL_KW`, from two hours before the start on.

    Args:
        rise_kw: by how much it changes over the half hour before the start.
    """
    index = pd.date_range(
        START - timedelta(hours=2), periods=10 * 12, freq=INTERVAL, name="ts_utc", unit="us"
    )
    noise = np.random.default_rng(7).normal(0.0, 30.0, len(index))  # a level line would look frozen
    steps_before = (index - START) / INTERVAL
    net_load = LEVEL_KW + noise + rise_kw * np.clip(steps_before / 6, -1.0, 0.0)
    parts = {"load_kw": net_load + 300.0, "solar_kw": 200.0, "wind_kw": 100.0, "net_load_kw": net_load}
    return BaseSeries(pd.DataFrame(parts, index=index), INTERVAL.total_seconds())


class Plant:
    """The store, the ledger, the simulated devices and the servers over them, in simulated time.

    What a test may change: ``band`` (the scripted forecast; None issues none), ``price`` of the coming
    intervals, ``metering`` (whether pulses come in), ``tamper`` (what happens to a pulse on its way).
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        rise_kw: float = 0.0,
        limits: Limits | None = None,
        tools: tuple[Tool, ...] | None = None,
        band: tuple[float, float, float] | None = CALM,
        day_ahead: float = PRICE_USD_PER_MWH,
    ) -> None:
        self.start, self.interval = START, INTERVAL
        self.band = band
        self.price: float | None = day_ahead
        self.day_ahead = day_ahead
        self.metering = True
        self.tamper: Callable[[Telemetry], Telemetry] = lambda pulse: pulse
        area = Area((limits or Limits()).resolve(SCALE), "UTC")
        self.limits = area.limits
        self.clock = SimulatedClock(START - timedelta(hours=2))
        self.ledger = Ledger(state_dir)
        self.store = SqliteStore(state_dir / "telemetry.db")
        offered = discover_tools().tools if tools is None else tools
        self.workplace = Workplace(
            area, ledger=self.ledger, reader=self.store, clock=self.clock, tools=offered
        )
        self.simulator = PlantSimulator(level_series(rise_kw), self.limits.battery, self.limits.peaker)
        self.approvals = Approvals(self.ledger, self.clock, require_two_people=False)
        lease = Lease(self.ledger, "owner", lambda: 0.0)
        assert lease.acquire()
        self.executor = Executor(
            self.ledger,
            SimulatedDriver(self.simulator),
            lease,
            self.limits,
            self.clock,
            price=self.workplace.observer.price_usd_per_mwh,
            zone=UTC,
        )
        self.store.write_quotes([self.quote(START + k * INTERVAL, None) for k in range(-24, 12 * 12)])
        self.advance_to(START)

    def close(self) -> None:
        self.ledger.close()
        self.store.close()

    def quote(self, at: datetime, price: float | None) -> PriceQuote:
        return PriceQuote(AREA_SITE, at, INTERVAL.total_seconds(), price, self.day_ahead)

    def advance(self, intervals: int = 1) -> None:
        """Let that many intervals pass."""
        for _ in range(intervals):
            self.advance_to(self.clock.now() + INTERVAL)

    def advance_to(self, border: datetime) -> None:
        """Play to a border, meter what was, quote what comes, and record what the devices report."""
        pulses = [self.tamper(pulse) for pulse in self.simulator.play_until(border)]
        self.clock.advance_to(border)
        if self.metering:
            self.store.write(pulses, [made for pulse in pulses for made in self._forecasts(pulse)])
        self.store.write_quotes([self.quote(border, self.price)])
        self.executor.report()

    def _forecasts(self, pulse: Telemetry) -> list[Forecast]:
        if self.band is None or pulse.site != NATIVE_SITE or pulse.net_load_kw is None:
            return []
        target = pulse.ts_utc + timedelta(minutes=30)
        return [Forecast(pulse.site, pulse.ts_utc, target, pulse.net_load_kw, *self.band, "scripted")]

    @asynccontextmanager
    async def loop(
        self,
        policy: Policy | None = None,
        name: str = "response",
        principal: Principal | None = None,
        saver: BaseCheckpointSaver[Any] | None = None,
    ) -> AsyncIterator[Loop]:
        """A loop over a connection of its own; with its own policy and principal when none is given."""
        bound = principal or {"response": RESPONSE, "trading": TRADING}[name]
        async with Client(self.workplace.server_for(bound)) as client:
            yield Loop(name, policy or POLICIES[name], client, saver or InMemorySaver())

    @asynccontextmanager
    async def supervisor(
        self, settles_at: datetime | None = None, *, shadow: bool = False
    ) -> AsyncIterator[Supervisor]:
        """Both loops with their own policies, wired as everywhere."""
        async with AsyncExitStack() as stack:
            yield await open_supervisor(
                stack, self.workplace, ("response", "trading"), settles_at, shadow=shadow
            )

    def act(self) -> Setpoints:
        """Let the owner merge what is live, and set the devices."""
        return self.executor.tick().setpoints

    def accepted(
        self, requester: str | None = None, asset: str | None = None
    ) -> list[Row[tuple[object, ...]]]:
        """The accepted proposals of the ledger, oldest first."""
        with self.ledger.reading() as connection:
            rows = list(connection.execute(select(proposals).order_by(proposals.c.id)))
        return [row for row in rows if requester in (None, row.requester) and asset in (None, row.asset)]


@pytest.fixture
def make_plant(tmp_path: Path) -> Iterator[Callable[..., Plant]]:
    """Makes plants that are closed after the test."""
    made: list[Plant] = []

    def make(**choices: object) -> Plant:
        made.append(Plant(tmp_path / str(len(made)), **choices))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for plant in made:
        plant.close()


@pytest.fixture
def plant(make_plant: Callable[..., Plant]) -> Plant:
    """At noon on a quiet day."""
    return make_plant()


class Script:
    """A policy that wants what the test says, and remembers what it was shown."""

    def __init__(self) -> None:
        self.wanted: Sequence[Decision] = ()
        self.views: list[GridView] = []

    def __call__(self, view: GridView) -> Sequence[Decision]:
        self.views.append(view)
        return self.wanted

    def wants(
        self, asset: str, power_kw: float, lower_kw: float | None = None, upper_kw: float | None = None
    ) -> None:
        """From now on it wants this, an hour of the peaker or an interval of the battery."""
        duration_s = 3600.0 if asset == "peaker" else INTERVAL.total_seconds()
        bounds = (power_kw if lower_kw is None else lower_kw, power_kw if upper_kw is None else upper_kw)
        reason = f"{asset} at {power_kw:.0f} kW, scripted"
        self.wanted = (Decision(asset, power_kw, *bounds, duration_s, reason),)

    def wants_nothing(self) -> None:
        """From now on."""
        self.wanted = ()


@pytest.fixture
def script() -> Script:
    """Wants nothing until the test says so."""
    return Script()


@pytest.fixture
def trader() -> Script:
    """A second one, for the other loop."""
    return Script()
