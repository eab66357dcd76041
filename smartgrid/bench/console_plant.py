"""The plant behind the console's benchmark: many sites' pulses, and a ledger in which things happen."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispatch.executor import Executor
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.service import DispatchService, Observation
from grid.assets import PeakerState
from grid.clock import SimulatedClock
from grid.drivers import AssetReadings
from grid.market import PriceQuote
from grid.synthetic import FINE_STEP_S
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from policies.limits import Limits, PlantLimits, Scale
from policies.principal import TRADING, local_principal

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
SCALE = Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=FINE_STEP_S)
PULSE = timedelta(seconds=FINE_STEP_S)
HORIZON = timedelta(minutes=30)
HISTORY = timedelta(minutes=90)
"""What the chart shows, and what was forecast for it: there from the beginning, nothing has to fill."""
SHIFT = timedelta(hours=10)
"""Of decisions before: the pages' lists are as full at the beginning as at the end."""
INTERVAL_S = 300.0
ASKED_EVERY_S = 900.0


class _Assets:
    """Battery and peaker as their models say, without a plant around them."""

    def __init__(self, limits: PlantLimits, clock: SimulatedClock) -> None:
        self._limits, self._clock = limits, clock
        self._battery, self._peaker = limits.battery.initial_state(), PeakerState()
        self._setpoints = (0.0, 0.0)

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        self._setpoints = (battery_kw, peaker_kw)

    def read(self) -> AssetReadings:
        return AssetReadings(self._clock.now(), self._battery, self._peaker, *self._setpoints)

    def taken_kw(self, battery_kw: float, peaker_kw: float) -> tuple[float, float]:
        return battery_kw, peaker_kw

    def play(self, seconds: float) -> None:
        self._battery = self._battery.step(self._limits.battery, self._setpoints[0], seconds)
        self._peaker = self._peaker.step(self._limits.peaker, self._setpoints[1], seconds)


class BenchPlant:
    """Writes pulses of many sites every five seconds, trades every five minutes, asks a person now and then.

    Args:
        state: a fresh directory.
        sites: how many, beside the area's two.
    """

    def __init__(self, state: Path, sites: int) -> None:
        self.limits = Limits().resolve(SCALE)
        self.clock = SimulatedClock(START - SHIFT)
        self.ledger = Ledger(state)
        self.store = SqliteStore(state / "telemetry.db")
        self._names = [AREA_SITE, NATIVE_SITE, *(f"feeder-{k:03d}" for k in range(sites))]
        self._assets = _Assets(self.limits, self.clock)
        lease = Lease(self.ledger, "bench", lambda: self.clock.now().timestamp())
        lease.acquire()
        self._service = DispatchService(self.ledger, self.limits, self.clock, _calm, UTC)
        self._executor = Executor(
            self.ledger, self._assets, lease, self.limits, self.clock, price=lambda: 40.0, zone=UTC
        )
        self._executor.reconcile()
        while self.clock.now() < START - HISTORY:
            self._decide()
            self.clock.advance(INTERVAL_S)
        while self.clock.now() < START:
            self._write([AREA_SITE, NATIVE_SITE])
            self._decide()
            self.clock.advance(FINE_STEP_S)

    def pulse(self) -> None:
        """One pulse of all sites, and what is due with it."""
        self._write(self._names)
        self._decide()
        self._assets.play(FINE_STEP_S)

    def close(self) -> None:
        """Close store and ledger."""
        self.store.close()
        self.ledger.close()

    def _decide(self) -> None:
        passed_s = (self.clock.now() - START).total_seconds()
        if passed_s % INTERVAL_S == 0:
            self._trade(passed_s)
        if passed_s % ASKED_EVERY_S == 0:
            self._ask(passed_s)
        self._executor.tick()

    def _write(self, names: list[str]) -> None:
        pulses = list(self._pulses(names))
        self.store.write(pulses, [_band(pulse) for pulse in pulses])

    def _pulses(self, names: list[str]) -> Iterator[Telemetry]:
        now = self.clock.now()
        for k, name in enumerate(names):
            share = 1.0 if k < 2 else 0.01
            wave = math.sin(now.timestamp() / 600.0 + k) + 0.1 * math.sin(now.timestamp() * 7.0 + k)
            yield Telemetry(name, now, net_load_kw=share * (12_000.0 + 900.0 * wave))

    def _trade(self, passed_s: float) -> None:
        now = self.clock.now()
        self.store.write_quotes([PriceQuote(AREA_SITE, now, INTERVAL_S, 40.0, 38.0)])
        power_kw = 400.0 if int(passed_s / INTERVAL_S) % 2 else -400.0
        self._service.propose(
            principal=TRADING,
            tool="discharge_battery",
            arguments={"at": now.isoformat()},
            asset="battery",
            power_kw=power_kw,
            duration_s=INTERVAL_S,
            reason="the bench trades",
        )

    def _ask(self, passed_s: float) -> None:
        self._service.propose(
            principal=local_principal("bench"),
            tool="dispatch_peaker",
            arguments={"at": passed_s},
            asset="peaker",
            power_kw=900.0,
            duration_s=3_600.0,
            reason="the bench asks a person",
        )


def _calm() -> Observation:
    return Observation(telemetry_age_s=0.0, trust=1.0, price_usd_per_mwh=40.0)


def _band(pulse: Telemetry) -> Forecast:
    base_kw = pulse.net_load_kw or 0.0
    width_kw = 0.05 * base_kw
    return Forecast(
        pulse.site, pulse.ts_utc, pulse.ts_utc + HORIZON, base_kw, -width_kw, 0.0, width_kw, "bench"
    )
