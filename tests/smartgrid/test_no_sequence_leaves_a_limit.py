"""No sequence of tool calls leaves a limit: two loops and a person, an operator, time, halts and restarts.

The plant obeys whatever it is told, beyond any limit, at once: what holds the limits is the guardrails alone.
"""

import asyncio
import math
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from mcp import Client

from dispatch import flags, proposals
from dispatch.approvals import Approvals
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.readings import local_day
from grid.assets import BatterySpec, PeakerSpec
from grid.clock import SimulatedClock
from grid.drivers import AssetReadings
from grid.market import PriceQuote
from grid.plant import PlantSimulator
from grid.series import BaseSeries
from grid.telemetry import AREA_SITE, Telemetry
from mcp_server.server import build_server
from pipeline.sqlite_store import SqliteStore
from policies.limits import Limits, PlantLimits, Scale
from policies.principal import RESPONSE, TRADING, Principal, local_principal, operator_principal
from smartgrid.area import Area, Workplace
from smartgrid.plant_owner import PlantOwner
from tools import charge_battery, discharge_battery, dispatch_peaker, halt_autonomy
from tools.contract import ToolContext

START = datetime(2026, 3, 1, 20, tzinfo=UTC)
"""Four hours before midnight, when the day's counters begin anew."""
INTERVAL = timedelta(minutes=5)
DAYS = 4
ANA, OPERATOR = local_principal("ana"), operator_principal("ben")
TOOLS = (charge_battery.tool, discharge_battery.tool, dispatch_peaker.tool)
TOOL_NAMES = st.sampled_from([tool.name for tool in TOOLS])
POWERS_KW = st.sampled_from((0.0, 100.0, 160.0, 400.0, 650.0, 1000.0, 5000.0))
MINUTES = st.sampled_from((5.0, 15.0, 60.0))
SMALL = 1e-6

LIMITS = Limits.model_validate(
    {
        "battery": {
            "power_kw": 1000.0,
            "energy_hours": 1.0,
            "soc_min": 0.2,
            "soc_max": 0.8,
            "max_cycles_per_day": 0.25,
            "ramp_kw_per_s": 400.0 / 300.0,
        },
        "peaker": {
            "power_kw": 1000.0,
            "min_up_s": 900.0,
            "min_down_s": 600.0,
            "max_starts_per_day": 1,
            "ramp_kw_per_s": 300.0 / 300.0,
        },
        "actions": {"max_duration_s": 3600.0},
        "cost": {"max_usd_per_dispatch": 1e6, "max_usd_per_day": 1e6},
        "approval": {"power_kw": 700.0, "cost_usd": 1e6},
    }
).resolve(Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0))
OBEDIENT_BATTERY = BatterySpec(
    power_kw=1e9, energy_kwh=LIMITS.battery.energy_kwh, soc_min=-1e3, soc_max=1e3, max_cycles_per_day=1e9
)
OBEDIENT_PEAKER = PeakerSpec(power_kw=1e9, min_power_kw=0.0, min_up_s=0.0, min_down_s=0.0)


def base() -> BaseSeries:
    """An area that is never still, so that its telemetry is trusted."""
    index = pd.date_range(START, periods=DAYS * 288, freq="300s", name="ts_utc")
    steps = np.arange(len(index))
    load = 15_000.0 + 2_000.0 * np.sin(steps / 46.0) + 20.0 * np.sin(steps * 2.1)
    frame = {"load_kw": load, "solar_kw": 0.0, "wind_kw": 0.0, "net_load_kw": load}
    return BaseSeries(pd.DataFrame(frame, index=index), 300.0)


@dataclass
class Meters:
    """The stream of an owner, straight into the store; it can be cut off."""

    store: SqliteStore
    silent: bool = False

    def take(self, pulses: Iterable[Telemetry]) -> int:
        """Write what came in."""
        heard = [] if self.silent else list(pulses)
        self.store.write(heard)
        return len(heard)


class Watch:
    """Compares what the plant did with the limits, interval by interval."""

    def __init__(self, limits: PlantLimits, readings: AssetReadings) -> None:
        self._limits = limits
        self._last = readings
        self._switched: datetime | None = None
        self._discharged: dict[str, float] = {}
        self._starts: dict[str, int] = {}

    def look(self, readings: AssetReadings, rules: set[str]) -> None:
        """Check the interval that has passed.

        Args:
            readings: at its end.
            rules: that clipped its setpoints.
        """
        day = local_day(self._last.ts_utc, UTC)
        self._battery(readings, rules, day)
        self._peaker(readings, day)
        self._last = readings

    def _battery(self, readings: AssetReadings, rules: set[str], day: str) -> None:
        spec, before, after = self._limits.battery, self._last.battery, readings.battery
        assert abs(after.power_kw) <= spec.power_kw + SMALL
        assert spec.soc_min * spec.energy_kwh - SMALL <= after.soc_kwh
        assert after.soc_kwh <= spec.soc_max * spec.energy_kwh + SMALL
        used_kwh = after.cell_discharged_kwh - before.cell_discharged_kwh
        self._discharged[day] = self._discharged.get(day, 0.0) + used_kwh
        assert self._discharged[day] <= spec.max_cycles_per_day * spec.energy_kwh + SMALL
        moved_kw = abs(after.power_kw - before.power_kw)
        if (
            moved_kw > spec.ramp_kw_per_s * INTERVAL.total_seconds() + SMALL
        ):  # only because it is full or empty
            assert abs(after.power_kw) < abs(before.power_kw)
            assert rules & {"battery_soc", "battery_cycles"}

    def _peaker(self, readings: AssetReadings, day: str) -> None:
        spec, before, after = self._limits.peaker, self._last.peaker, readings.peaker
        reach_kw = spec.ramp_kw_per_s * INTERVAL.total_seconds() + SMALL
        since_s = math.inf if self._switched is None else (self._last.ts_utc - self._switched).total_seconds()
        if after.on:
            assert spec.min_power_kw - SMALL <= after.power_kw <= spec.power_kw + SMALL
            assert abs(after.power_kw - (before.power_kw if before.on else spec.min_power_kw)) <= reach_kw
        elif before.on:
            assert since_s >= spec.min_up_s
            assert before.power_kw - reach_kw <= spec.min_power_kw
        if after.on and not before.on:
            assert since_s >= spec.min_down_s
            self._starts[day] = self._starts.get(day, 0) + 1
            assert self._starts[day] <= spec.max_starts_per_day
        if after.on != before.on:
            self._switched = self._last.ts_utc


class Calls:
    """Calls tools as MCP clients do: one server for all plants of this test, since each takes a while."""

    def __init__(self) -> None:
        self._context: ToolContext | None = None
        self._server = build_server((*TOOLS, halt_autonomy.tool), self._now)

    def _now(self) -> ToolContext:
        assert self._context is not None
        return self._context

    def status(self, context: ToolContext, tool: str, arguments: dict[str, object]) -> str:
        """What became of the call of the context's principal."""
        self._context = context

        async def ask() -> str:
            async with Client(self._server) as client:
                result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content
            assert result.structured_content is not None
            return str(result.structured_content["status"])

        return asyncio.run(ask())


CALLS = Calls()


class Sequence(RuleBasedStateMachine):
    """Whatever the loops, a person and an operator do, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a folder: a ledger waits for its disk at every commit.
        memory = Path("/dev/shm")  # noqa: S108
        self.folder = Path(tempfile.mkdtemp(prefix="limits-", dir=memory if memory.is_dir() else None))
        self.clock = SimulatedClock(START)
        self.ledger = Ledger(self.folder)
        self.store = SqliteStore(self.folder / "telemetry.db")
        self.meters = Meters(self.store)
        self.plant = PlantSimulator(base(), OBEDIENT_BATTERY, OBEDIENT_PEAKER)
        self.workplace = Workplace(
            Area(LIMITS, "UTC"),
            ledger=self.ledger,
            reader=self.store,
            clock=self.clock,
            tools=(),
        )
        self.approvals = Approvals(self.ledger, self.clock, require_two_people=False)
        self.waiting: list[tuple[Principal, str, dict[str, object]]] = []
        self.store.write_quotes(
            [PriceQuote(AREA_SITE, START + k * INTERVAL, 300.0, 30.0 - k % 50, None) for k in range(144)]
        )
        self.own()
        self.watch = Watch(LIMITS, self.owner.readings())
        self.pass_intervals(12)

    def own(self) -> None:
        lease = Lease(self.ledger, "owner", lambda: 0.0)
        assert lease.acquire()
        self.owner = PlantOwner(
            plant=self.plant,
            clock=self.clock,
            workplace=self.workplace,
            writer=self.store,
            stream=self.meters,
            lease=lease,
        )

    def pass_intervals(self, count: int) -> None:
        for _ in range(count):
            applied = self.owner.act()
            self.owner.advance_to(self.clock.now() + INTERVAL)
            self.owner.report()
            self.watch.look(self.owner.readings(), {finding.rule for finding in applied.setpoints.rules})

    def call(self, principal: Principal, tool: str, arguments: dict[str, object]) -> None:
        if CALLS.status(self.workplace.context(principal), tool, arguments) == "pending_approval":
            self.waiting.append((principal, tool, arguments))

    def ask(self, principal: Principal, tool: str, power_kw: float, minutes: float, **more: object) -> None:
        arguments = {"power_kw": power_kw, "duration_min": minutes, "reason": "a test of the limits"}
        self.call(principal, tool, {**arguments, **more})

    @rule(
        principal=st.sampled_from((RESPONSE, TRADING)),
        tool=TOOL_NAMES,
        power_kw=POWERS_KW,
        minutes=MINUTES,
        margin_kw=st.sampled_from((0.0, 300.0, 2000.0)),
    )
    def a_loop_asks(
        self, principal: Principal, tool: str, power_kw: float, minutes: float, margin_kw: float
    ) -> None:
        signed_kw = -power_kw if tool == "charge_battery" else power_kw
        bounds = {"lower_kw": signed_kw - margin_kw, "upper_kw": signed_kw + margin_kw}
        self.ask(principal, tool, power_kw, minutes, **bounds)

    @rule(tool=TOOL_NAMES, power_kw=POWERS_KW, minutes=MINUTES)
    def a_person_asks(self, tool: str, power_kw: float, minutes: float) -> None:
        self.ask(ANA, tool, power_kw, minutes)

    @rule(power_kw=st.sampled_from((160.0, 500.0, 1000.0)), minutes=MINUTES)
    def a_person_starts_the_peaker_with_the_operator(self, power_kw: float, minutes: float) -> None:
        self.ask(ANA, dispatch_peaker.tool.name, power_kw, minutes)
        if self.waiting:
            self.decide_and_repeat(approve=True)

    @precondition(lambda self: self.waiting)
    @rule(approve=st.sampled_from((True, True, False)))
    def decide_and_repeat(self, approve: bool) -> None:
        principal, tool, arguments = self.waiting.pop()
        for pending in self.approvals.list("PENDING"):
            decide = self.approvals.approve if approve else self.approvals.deny
            decide(pending.approval_id, OPERATOR, "a test of the limits")
        self.call(principal, tool, arguments)

    @rule(count=st.sampled_from((1, 1, 2, 3, 6, 12)))
    def time_passes(self, count: int) -> None:
        self.pass_intervals(count)

    @rule(count=st.sampled_from((1, 3)))
    def the_meters_are_silent_for_a_while(self, count: int) -> None:
        self.meters.silent = True
        self.pass_intervals(count)
        self.meters.silent = False

    @rule()
    def the_autonomy_is_halted_and_resumed(self) -> None:
        self.call(ANA, "halt_autonomy", {"reason": "a test of the limits"})
        self.pass_intervals(1)
        flags.resume(self.ledger, OPERATOR, "a test of the limits", self.clock.now())

    @rule()
    def the_owner_is_started_anew(self) -> None:
        self.own()

    def teardown(self) -> None:
        """When all has expired the assets are at their safe setpoints, and no limit was left on the way."""
        try:
            longest = timedelta(seconds=LIMITS.max_duration_s + LIMITS.peaker.min_up_s) + 4 * INTERVAL
            self.pass_intervals(longest // INTERVAL)
            readings = self.owner.readings()
            with self.ledger.reading() as connection:
                assert not proposals.live_claims(connection, "battery")
                assert not proposals.live_claims(connection, "peaker")
            assert (readings.battery.power_kw, readings.battery_setpoint_kw) == (0.0, 0.0)
            assert (readings.peaker.on, readings.peaker_setpoint_kw) == (False, 0.0)
            assert self.ledger.verify_audit().ok
        finally:
            self.store.close()
            self.ledger.close()
            shutil.rmtree(self.folder)


PROFILE = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_no_sequence_of_tool_calls_leaves_a_limit() -> None:
    run_state_machine_as_test(Sequence, settings=PROFILE)
