"""The whole supervisor over its real servers: what stops it, and what each of its loops does."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from mcp import Client

from dispatch.flags import halt, resume
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid_supervisor.errors import SupervisorError
from grid_supervisor.results import LoopResult, TickResult
from grid_supervisor.supervisor import Supervisor
from pipeline.instability import InstabilityEvent
from policies.limits import Limits
from policies.principal import RESPONSE, local_principal, operator_principal
from tools.contract import Tool, ToolContext
from tools.registry import discover_tools

if TYPE_CHECKING:
    from tests.grid_supervisor.conftest import Plant, Script

pytestmark = pytest.mark.anyio

ANA, BEN = local_principal("ana"), operator_principal("ben")
CHEAP_USD_PER_MWH = 5.0
RISE_KW = 1_500.0
"""Over the last half hour; half again the limit, so that response has to act."""


def loops(tick: TickResult) -> dict[str, LoopResult]:
    return {result.loop: result for result in tick.loops}


# -- what must stop it ----------------------------------------------------------------------------


async def test_a_halted_autonomy_proposes_nothing(make_plant: "Callable[..., Plant]") -> None:
    plant = make_plant(rise_kw=RISE_KW)
    halt(plant.ledger, ANA, "smoke in the battery hall", plant.clock.now())
    async with plant.supervisor() as supervisor:
        for result in (await supervisor.tick()).loops:
            assert (result.outcome, result.reason) == ("blocked", "the autonomy is halted")
            assert result.actions == ()
        assert plant.accepted() == []
        resume(plant.ledger, BEN, "false alarm", plant.clock.now())
        assert {result.outcome for result in (await supervisor.tick()).loops} == {"acted"}


@pytest.mark.parametrize("silent", [AREA_SITE, NATIVE_SITE, "both"])
async def test_stale_telemetry_blocks_both_loops(make_plant: "Callable[..., Plant]", silent: str) -> None:
    plant = make_plant(rise_kw=RISE_KW)
    metered_at = plant.clock.now()
    plant.metering = silent != "both"
    plant.tamper = lambda pulse: replace(pulse, site="elsewhere") if pulse.site == silent else pulse
    plant.advance(3)
    async with plant.supervisor() as supervisor:
        blocked = await supervisor.tick()
    assert plant.clock.now() - metered_at == timedelta(minutes=15)
    for result in blocked.loops:
        assert result.outcome == "blocked"
        assert (
            f"telemetry of {AREA_SITE if silent == 'both' else silent} is stale: 1200 s old" == result.reason
        )
    assert plant.accepted() == []


async def test_a_pulse_or_two_may_be_late(make_plant: "Callable[..., Plant]") -> None:
    plant = make_plant(rise_kw=RISE_KW)
    plant.metering = False
    plant.advance(2)
    async with plant.supervisor() as supervisor:
        assert "blocked" not in {result.outcome for result in (await supervisor.tick()).loops}


async def test_untrusted_telemetry_blocks_both_loops(make_plant: "Callable[..., Plant]") -> None:
    plant = make_plant(rise_kw=RISE_KW)

    def more_load(pulse: Telemetry) -> Telemetry:
        return pulse if pulse.load_kw is None else replace(pulse, load_kw=pulse.load_kw + 500.0)

    plant.tamper = more_load
    plant.advance()
    async with plant.supervisor() as supervisor:
        for result in (await supervisor.tick()).loops:
            assert result.outcome == "blocked"
            assert (
                result.reason == f"telemetry of {NATIVE_SITE} is not trusted (0.00): balance on net_load_kw"
            )
    assert plant.accepted() == []


async def test_an_unknown_loop_is_refused_and_the_known_ones_are_named(plant: "Plant") -> None:
    client = Client(plant.workplace.server_for(RESPONSE))
    with pytest.raises(SupervisorError, match=r"no loop 'peak-shaving'; choose from: response, trading"):
        Supervisor({"response": client, "peak-shaving": client}, InMemorySaver())


async def test_only_the_loops_that_have_a_connection_run(plant: "Plant") -> None:
    plant.price = CHEAP_USD_PER_MWH
    plant.advance()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(plant.workplace.server_for(RESPONSE)))
        tick = await Supervisor({"response": client}, InMemorySaver()).tick()
    assert [result.loop for result in tick.loops] == ["response"]
    assert plant.accepted() == []


async def test_what_the_loops_share_is_read_once_a_tick_and_anew_in_the_next(
    make_plant: "Callable[..., Plant]",
) -> None:
    asked: list[str] = []

    def counted(tool: Tool) -> Tool:
        async def run(request: Any, context: ToolContext) -> Any:
            asked.append(tool.name)
            return await tool.run(request, context)

        return replace(tool, run=run)

    plant = make_plant(tools=tuple(counted(tool) for tool in discover_tools().tools))
    reads = ["get_grid_status", "quote_prices", "check_telemetry", "forecast_net_load"]
    async with plant.supervisor() as supervisor:
        for _ in range(2):
            await supervisor.tick()
            assert [name for name in asked if name in reads] == reads
            asked.clear()


# -- who acts ---------------------------------------------------------------------------------------


async def test_each_loop_acts_as_its_own_principal_with_its_own_rank(
    make_plant: "Callable[..., Plant]",
) -> None:
    plant = make_plant(rise_kw=RISE_KW)
    async with plant.supervisor() as supervisor:
        tick = await supervisor.tick()
    assert [(result.loop, result.outcome) for result in tick.loops] == [
        ("response", "acted"),
        ("trading", "acted"),
    ]
    rows = [(row.requester, row.priority, row.asset) for row in plant.accepted()]
    assert rows == [("supervisor:response", 20, "battery"), ("supervisor:trading", 10, "battery")]


async def test_identity_comes_from_the_connection_and_not_from_the_loop(
    plant: "Plant", script: "Script"
) -> None:
    script.wants("battery", 100.0)
    async with plant.loop(script, name="response", principal=ANA) as loop:
        await loop.tick()
    assert [(row.requester, row.priority) for row in plant.accepted()] == [("local:ana", 30)]


async def test_proposals_name_their_forecast_and_those_of_response_the_event(plant: "Plant") -> None:
    began = plant.clock.now() - plant.interval
    event = InstabilityEvent("event-1", AREA_SITE, "measured_ramp", began, None, "warning", 1_200.0)
    plant.store.write([], [], [event])
    plant.price = CHEAP_USD_PER_MWH
    plant.advance()
    issued = (plant.clock.now() - plant.interval).isoformat()
    async with plant.supervisor() as supervisor:
        await supervisor.tick()
    rows = [(row.requester, row.event_id, row.forecast_issued_at) for row in plant.accepted()]
    assert rows == [("supervisor:response", "event-1", issued), ("supervisor:trading", None, issued)]


# -- one battery, two loops -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("traded_kw", "expected_kw"), [(-1_000.0, 200.0), (150.0, 200.0), (450.0, 450.0), (1_000.0, 600.0)]
)
async def test_trading_moves_the_battery_only_within_the_bounds_that_response_leaves(
    plant: "Plant", script: "Script", trader: "Script", traded_kw: float, expected_kw: float
) -> None:
    script.wants("battery", 400.0, lower_kw=200.0, upper_kw=600.0)
    trader.wants("battery", traded_kw)
    async with plant.loop(trader, "trading") as trading, plant.loop(script, "response") as response:
        await trading.tick()  # also when trading came first
        await response.tick()
    assert plant.act().battery_kw == expected_kw
    plant.advance()
    assert plant.simulator.battery.power_kw == pytest.approx(expected_kw)


async def test_response_outranks_trading_and_trading_has_the_battery_when_response_wants_nothing(
    plant: "Plant", script: "Script", trader: "Script"
) -> None:
    trader.wants("battery", -800.0)
    script.wants("battery", 400.0)
    async with plant.loop(trader, "trading") as trading, plant.loop(script, "response") as response:
        await response.tick()
        await trading.tick()
        assert plant.act().battery_kw == 400
        script.wants_nothing()
        plant.advance()
        await response.tick()
        await trading.tick()
        assert plant.act().battery_kw == -800


async def test_both_loops_answer_one_ramp_once(make_plant: "Callable[..., Plant]") -> None:
    """They act on one plan: what the battery does is what each of them wants, not the sum."""
    plant = make_plant(rise_kw=RISE_KW)
    async with plant.supervisor() as supervisor:
        tick = loops(await supervisor.tick())
    wished, traded = tick["response"].actions[0], tick["trading"].actions[0]
    assert wished.power_kw > 100
    assert traded.power_kw == pytest.approx(wished.power_kw, abs=1)
    assert plant.act().battery_kw == pytest.approx(wished.power_kw, abs=1)


async def test_the_meter_feels_what_response_did(make_plant: "Callable[..., Plant]") -> None:
    plant = make_plant(rise_kw=RISE_KW)
    async with plant.loop() as response:
        await response.tick()
        applied_kw = plant.act().battery_kw
        plant.advance()
        native, metered = plant.store.latest(NATIVE_SITE, 1)[0], plant.store.latest(AREA_SITE, 1)[0]
        assert native.net_load_kw is not None
        assert metered.net_load_kw == pytest.approx(native.net_load_kw - applied_kw)


# -- once in an interval ------------------------------------------------------------------------------


async def test_a_price_is_traded_once_in_an_interval_however_often_the_loops_tick(plant: "Plant") -> None:
    plant.price = CHEAP_USD_PER_MWH
    plant.advance()
    stored_kwh = plant.simulator.battery.soc_kwh
    async with plant.supervisor() as supervisor:
        for _ in range(6):
            await supervisor.tick()
            setpoint_kw = plant.act().battery_kw
            plant.clock.advance(10.0)
    bought = plant.accepted("supervisor:trading")
    assert [row.power_kw for row in bought] == [setpoint_kw]
    assert setpoint_kw < -700
    plant.advance_to(plant.start + 2 * plant.interval)
    hours = plant.interval / timedelta(hours=1)
    assert plant.simulator.battery.soc_kwh - stored_kwh == pytest.approx(-setpoint_kw * hours * 0.9**0.5)


async def test_the_next_interval_is_traded_anew(plant: "Plant") -> None:
    plant.price = CHEAP_USD_PER_MWH
    async with plant.supervisor() as supervisor:
        for _ in range(3):
            plant.advance()
            await supervisor.tick()
            plant.act()
    starts = [row.starts_at for row in plant.accepted("supervisor:trading")]
    assert starts == [plant.start + k * plant.interval for k in (1, 2, 3)]


async def test_energy_is_settled_when_the_accounts_close(plant: "Plant") -> None:
    """At an even price nothing is traded, but a surplus is sold in the last interval."""
    plant.simulator.set_points(-1_000.0, 0.0)
    plant.advance()
    plant.simulator.set_points(0.0, 0.0)
    async with plant.supervisor(settles_at=plant.clock.now() + plant.interval) as supervisor:
        tick = loops(await supervisor.tick())
    assert tick["trading"].actions[0].power_kw > 400


# -- without a fresh forecast -------------------------------------------------------------------------


async def test_a_loop_is_shown_the_newest_forecast_while_it_is_fresh_and_none_after_it(
    plant: "Plant", script: "Script"
) -> None:
    plant.advance()
    issued_at = plant.clock.now() - plant.interval
    plant.band = None
    async with plant.loop(script) as loop:
        for _ in range(4):
            assert (await loop.tick()).outcome == "idle"
            plant.advance()
    shown = [None if view.forecast is None else view.forecast.issued_at for view in script.views]
    assert shown == [issued_at, issued_at, issued_at, None]


async def test_without_a_fresh_forecast_the_loops_go_on_from_what_is_measured(
    make_plant: "Callable[..., Plant]",
) -> None:
    plant = make_plant(rise_kw=RISE_KW, band=None)
    async with plant.supervisor() as supervisor:
        tick = loops(await supervisor.tick())
    assert tick["response"].outcome == "acted"
    assert tick["response"].actions[0].power_kw > 100
    assert {row.forecast_issued_at for row in plant.accepted()} == {None}


async def test_an_old_forecast_is_never_acted_on(plant: "Plant") -> None:
    """It expects a steep ramp: fresh it makes trading prepare, and stale it moves nothing."""
    plant.band = (1_500.0, 1_800.0, 2_100.0)
    plant.advance()
    plant.band = None
    async with plant.supervisor() as supervisor:
        prepared = loops(await supervisor.tick())["trading"].actions[0].power_kw
        assert prepared < -100
        plant.advance(3)
        stale = loops(await supervisor.tick())
    assert stale["response"].outcome == "idle"
    assert stale["trading"].actions[0].power_kw == pytest.approx(0, abs=1)
    assert plant.accepted()[-1].forecast_issued_at is None


# -- a ramp that the battery cannot hold --------------------------------------------------------------


async def test_a_ramp_beyond_the_battery_asks_for_the_peaker_and_runs_it_once_approved(
    make_plant: "Callable[..., Plant]",
) -> None:
    empty = Limits.model_validate({"battery": {"initial_soc": 0.0}})
    plant = make_plant(rise_kw=2_400.0, band=(-800.0, 0.0, 800.0), limits=empty, day_ahead=85.0)
    plant.band = (2_500.0, 3_500.0, 4_500.0)
    plant.advance()
    async with plant.supervisor() as supervisor:
        asked = loops(await supervisor.tick())["response"].actions[-1]
        assert (asked.asset, asked.status) == ("peaker", "pending_approval")
        assert plant.act().peaker_kw == 0
        plant.advance()
        assert asked.approval_id is not None
        plant.approvals.approve(asked.approval_id, BEN, "the ramp is real")
        done = loops(await supervisor.tick())["response"].actions
        assert ("peaker", "accepted", asked.approval_id) in [(a.asset, a.status, a.approval_id) for a in done]
        assert plant.act().peaker_kw == pytest.approx(asked.power_kw)
        plant.advance()
        steered = loops(await supervisor.tick())["response"].actions[-1]
    assert plant.simulator.peaker.on
    assert (steered.asset, steered.status) == ("peaker", "accepted")
    assert len(plant.approvals.list()) == 1
