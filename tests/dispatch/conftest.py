"""A small plant with its ledger, service, executor and approval desk, in simulated time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatch.approvals import Approvals
from dispatch.executor import Applied, Executor
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.service import DispatchOutcome, DispatchService, Observation
from grid.assets import PeakerState
from grid.clock import SimulatedClock
from grid.drivers import AssetReadings
from policies.limits import Limits, PlantLimits, Scale
from policies.principal import RESPONSE, Principal, local_principal, operator_principal
from policies.proposal import AssetName
from tests.services_postgres.server import NewUrl, new_urls

START = datetime(2026, 3, 1, tzinfo=UTC)
SCALE = Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0)
ANA = local_principal("ana")
OPERATOR = operator_principal("ben")


class FakeDriver:
    """Steps the real asset models; remembers what it was asked."""

    def __init__(self, limits: PlantLimits, clock: SimulatedClock) -> None:
        self.limits, self.clock = limits, clock
        self.battery = limits.battery.initial_state()
        self.peaker = PeakerState()
        self.setpoints = (0.0, 0.0)
        self.calls: list[tuple[float, float]] = []
        self.crash: Exception | None = None
        self.while_reading: Callable[[], object] = lambda: None

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        if self.crash is not None:
            raise self.crash
        self.setpoints = (battery_kw, peaker_kw)
        self.calls.append(self.setpoints)

    def read(self) -> AssetReadings:
        self.while_reading()
        return AssetReadings(self.clock.now(), self.battery, self.peaker, *self.setpoints)

    def taken_kw(self, battery_kw: float, peaker_kw: float) -> tuple[float, float]:
        return battery_kw, peaker_kw

    def play(self, seconds: float) -> None:
        self.battery = self.battery.step(self.limits.battery, self.setpoints[0], seconds)
        self.peaker = self.peaker.step(self.limits.peaker, self.setpoints[1], seconds)
        self.clock.advance(seconds)


class Plant:
    """Everything between a tool's call and the devices."""

    def __init__(self, state_dir: Path, limits: Limits | None = None, url: str | None = None) -> None:
        self.url = url
        self.limits = (limits or Limits()).resolve(SCALE)
        self.clock = SimulatedClock(START)
        self.driver = FakeDriver(self.limits, self.clock)
        self.observation = Observation(telemetry_age_s=0.0, trust=1.0, price_usd_per_mwh=30.0)
        self.state_dir = state_dir
        self.wall_s = 0.0
        self.open()

    def open(self) -> None:
        """Open the ledger and bind everything to it, as a fresh process does."""
        self.ledger = Ledger(self.state_dir, self.url)
        self.lease = Lease(self.ledger, "owner-1", lambda: self.wall_s)
        assert self.lease.acquire()
        self.service = DispatchService(self.ledger, self.limits, self.clock, lambda: self.observation, UTC)
        self.approvals = Approvals(self.ledger, self.clock, require_two_people=self.limits.require_two_people)
        self.executor = Executor(
            self.ledger,
            self.driver,
            self.lease,
            self.limits,
            self.clock,
            price=lambda: self.observation.price_usd_per_mwh,
            zone=UTC,
        )
        self.executor.reconcile()

    def restart(self) -> None:
        self.ledger.close()
        self.open()

    def propose(
        self,
        power_kw: float,
        *,
        asset: AssetName = "battery",
        duration_s: float = 300.0,
        principal: Principal = RESPONSE,
        key: str | None = None,
        bounds: tuple[float, float] | None = None,
        event_id: str | None = None,
        **arguments: object,
    ) -> DispatchOutcome:
        low, high = bounds or (None, None)
        return self.service.propose(
            principal=principal,
            tool=f"dispatch_{asset}",
            arguments={"power_kw": power_kw, "duration_s": duration_s, "idempotency_key": key, **arguments},
            asset=asset,
            power_kw=power_kw,
            duration_s=duration_s,
            reason="because the test says so",
            lower_kw=low,
            upper_kw=high,
            event_id=event_id,
            idempotency_key=key,
        )

    def run(self, ticks: int = 1) -> Applied:
        """Tick and play that many intervals; the last tick's answer."""
        for _ in range(ticks):
            applied = self.executor.tick()
            self.driver.play(self.limits.interval_s)
            self.executor.report()
        return applied


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest) -> Iterator[NewUrl]:
    """Everything that uses it runs on SQLite always, on PostgreSQL where there is one."""
    with new_urls(request.param) as fresh:
        yield fresh


@pytest.fixture
def plant(tmp_path: Path, new_url: NewUrl) -> Iterator[Plant]:
    made = Plant(tmp_path / "state", url=new_url())
    yield made
    made.ledger.close()
