import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid_supervisor.sense import grid_view
from policies.limits import PlantLimits
from smartgrid.area import Area
from smartgrid.supervising import open_supervisor
from tests.tools.small_grid import CADENCE_S, INTERVAL, SmallGrid, small_area
from tools.area_view import area_view, peaker_start_asked
from tools.contract import SiteInfo
from tools.errors import ToolInputError, ToolUnavailableError
from tools.registry import discover_tools
from tools.simulate_scenario import ScenarioAnswer, tool

NOON = 144
"""Intervals from the start of the day until noon, when the sun shines."""
TRIP: dict[str, Any] = {"kind": "unit_trip", "size": 150.0}


def grid_in(directory: Path, area: Area | None = None) -> SmallGrid:
    tools = {found.name: found for found in (*discover_tools().tools, tool)}
    return SmallGrid(directory / "state", area=area, tools=tools.values())


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[SmallGrid]:
    made = grid_in(tmp_path)
    yield made
    made.close()


@pytest.fixture
def plant(grid: SmallGrid) -> SmallGrid:
    return grid.start()


@pytest.fixture(scope="module")
def noon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGrid]:
    """An area at noon, for calls that change nothing."""
    made = grid_in(tmp_path_factory.mktemp("noon")).start(NOON)
    yield made
    made.close()


def simulate(grid: SmallGrid, changed: dict[str, Any] | None = None, /, **arguments: Any) -> ScenarioAnswer:
    answer = grid.ask("simulate_scenario", changed, **arguments)
    assert isinstance(answer, ScenarioAnswer)
    return answer


def stored(grid: SmallGrid) -> list[bytes]:
    """All that the ledger and the store hold."""
    return [
        path.read_bytes()
        for name in ("ledger.db", "ledger.db-wal", "telemetry.db", "telemetry.db-wal")
        if (path := grid.state_dir / name).exists()
    ]


def test_nothing_is_recorded_and_no_asset_moves(noon: SmallGrid) -> None:
    before, readings = stored(noon), noon.owner.readings()
    assert max(map(abs, simulate(noon, **TRIP).battery_kw)) > 1.0
    assert stored(noon) == before
    assert noon.owner.readings() == readings
    assert noon.ask("get_grid_status").battery.setpoint_kw == 0.0


def test_the_view_is_the_one_that_the_supervisor_builds_of_the_tools_answers(noon: SmallGrid) -> None:
    status, forecast, prices = (
        noon.ask(name, **arguments).model_dump(mode="json", by_alias=True)
        for name, arguments in (
            ("get_grid_status", {}),
            ("forecast_net_load", {"outlook_hours": 24.0}),
            ("quote_prices", {"hours_ahead": 36.0, "resolution": "interval"}),
        )
    )
    context = noon.context(tool, {})
    view = area_view(context, context.desk.assets(), peaker_start_asked(context))
    assert view == grid_view(status, forecast, prices)
    assert view.native_kw[-1] is not None
    assert view.expected_usd_per_mwh


def test_what_it_says_the_loops_do_next_is_what_they_do(plant: SmallGrid) -> None:
    said = simulate(plant, kind="unit_trip", size=100.0, start_in_min=120.0)

    async def tick() -> None:
        async with AsyncExitStack() as stack:
            supervisor = await open_supervisor(stack, plant.workplace, ("response", "trading"))
            await supervisor.tick()

    asyncio.run(tick())
    plant.advance()
    assert plant.owner.readings().battery.power_kw == pytest.approx(said.battery_kw[0], abs=0.01)
    assert said.battery_kw[0] != 0.0


def test_a_trip_adds_what_is_lost_while_it_lasts_and_nothing_after(noon: SmallGrid) -> None:
    said = simulate(noon, **TRIP, start_in_min=10.0, duration_min=30.0)
    extra = dict(zip(said.at_min, np.subtract(said.scenario_kw, said.expected_kw), strict=True))
    assert said.at_min[-1] == 65.0
    assert {at: kw for at, kw in extra.items() if abs(kw) > 0.02} == pytest.approx(
        dict.fromkeys((10.0, 15.0, 20.0, 25.0, 30.0, 35.0), 150.0), abs=0.02
    )
    assert (said.largest_extra_kw, said.until_utc - said.from_utc) == (150.0, timedelta(minutes=30))


def test_an_interval_that_it_covers_in_part_counts_in_part(noon: SmallGrid) -> None:
    said = simulate(noon, **TRIP, start_in_min=4.0, duration_min=5.0)
    extra = np.subtract(said.scenario_kw, said.expected_kw)
    assert extra[:3].tolist() == pytest.approx([150.0 * 0.2, 150.0 * 0.8, 0.0], abs=0.02)


def test_a_drop_of_solar_takes_its_share_of_what_was_measured_where_no_yesterday_is_stored(
    noon: SmallGrid,
) -> None:
    measured = [pulse.solar_kw for pulse in noon.store.latest(NATIVE_SITE, 3)]
    now_kw = np.mean([kw for kw in measured if kw is not None])
    assert now_kw > 50.0
    assert simulate(noon, kind="solar_drop", size=40.0).largest_extra_kw == pytest.approx(
        0.4 * now_kw, abs=0.01
    )


def test_a_channel_follows_yesterdays_course_at_todays_level(plant: SmallGrid) -> None:
    now = plant.clock.now()
    for number, load_kw in enumerate([1000.0] * 3 + [1100.0, 1200.0] + [1000.0] * 20):
        at = now - timedelta(days=1) + (number - 3) * INTERVAL
        plant.store.write([Telemetry(NATIVE_SITE, at, load_kw=load_kw)])
    recent = [pulse.load_kw for pulse in plant.store.latest(NATIVE_SITE, 3)]
    level = float(np.mean([kw for kw in recent if kw is not None])) / 1000.0
    said = simulate(plant, kind="load_rise", size=10.0, duration_min=15.0)
    extra = np.subtract(said.scenario_kw, said.expected_kw)[:4]
    assert extra.tolist() == pytest.approx([110.0 * level, 120.0 * level, 100.0 * level, 0.0], abs=0.02)


def test_a_first_ray_of_sun_makes_no_bright_day(plant: SmallGrid) -> None:
    now = plant.clock.now()
    for number in range(-3, 12):
        yesterday = Telemetry(NATIVE_SITE, now - timedelta(days=1) + number * INTERVAL, solar_kw=1.0)
        today = Telemetry("roof", now + number * INTERVAL, solar_kw=40.0)
        plant.store.write([replace(yesterday, site="roof"), today])
    sites = {**plant.area.sites, "roof": SiteInfo("roof", CADENCE_S, parent=AREA_SITE)}
    said = simulate(plant, {"sites": sites}, kind="solar_drop", size=100.0, site="roof", duration_min=15.0)
    assert said.largest_extra_kw == 2.0


def test_a_price_spike_moves_no_net_load_and_is_sold_into(noon: SmallGrid) -> None:
    said = simulate(noon, kind="price_spike", size=900.0, duration_min=15.0, approves=False)
    assert said.scenario_kw == said.expected_kw
    assert said.battery_kw[:3] == pytest.approx([noon.limits.battery.power_kw] * 3, abs=0.01)
    assert said.saved is not None
    assert said.saved > 5.0
    assert said.soc_end_pct < said.soc_start_pct


def test_the_ramp_penalty_is_that_of_the_courses_and_the_loops_lower_it(noon: SmallGrid) -> None:
    said, status = simulate(noon, **TRIP), noon.ask("get_grid_status")
    for course, penalty, largest in (
        (said.scenario_kw, said.ramp_penalty_idle, said.largest_change_kw),
        (said.with_loops_kw, said.ramp_penalty_with_loops, said.largest_change_with_loops_kw),
    ):
        line = np.array([*status.metered_means_kw[-6:], *course])
        changes = line[6:] - line[:-6]
        expected = np.maximum(0.0, np.abs(changes) - said.ramp_limit_kw).sum() / 12.0 * 0.25
        assert penalty == pytest.approx(expected, abs=0.01)
        assert largest == pytest.approx(changes[np.argmax(np.abs(changes))], abs=0.02)
    assert said.ramp_penalty_with_loops < 0.8 * said.ramp_penalty_idle
    assert (said.instability, said.instability_with_loops) == ("critical", "critical")
    assert said.cost_idle == pytest.approx(said.ramp_penalty_idle)
    assert said.saved == pytest.approx((said.cost_idle or 0.0) - (said.cost_with_loops or 0.0))


def test_the_battery_ends_with_what_its_powers_leave(noon: SmallGrid) -> None:
    said, spec = simulate(noon, **TRIP), noon.limits.battery
    eta = spec.one_way_efficiency
    taken = sum(kw / eta if kw > 0 else kw * eta for kw in said.battery_kw) / 12.0
    assert said.soc_start_pct == 50.0
    assert said.soc_end_pct == pytest.approx(50.0 - 100.0 * taken / spec.energy_kwh, abs=0.05)


def test_what_was_sold_and_what_is_stored_at_the_end_make_the_cost(noon: SmallGrid) -> None:
    """A spike of a single interval, by hand: sold at its price, worn, and bought back at the day's mean."""
    said, spec = simulate(noon, kind="price_spike", size=900.0, duration_min=5.0), noon.limits.battery
    prices = noon.ask("quote_prices", resolution="interval")
    price = [900.0, *[row[0] for row in prices.expected_per_mwh[1:]]]
    income = sum(kw / 12.0 * at for kw, at in zip(said.battery_kw, price, strict=False)) / 1000.0
    wear = sum(max(0.0, kw) for kw in said.battery_kw) / 12.0 * spec.wear_usd_per_mwh / 1000.0
    more_kwh = (said.soc_end_pct - said.soc_start_pct) / 100.0 * spec.energy_kwh
    assert more_kwh < 0.0
    back = more_kwh / spec.one_way_efficiency * prices.day_mean_price_per_mwh / 1000.0
    assert said.cost_with_loops == pytest.approx(
        said.ramp_penalty_with_loops - income + wear - back, abs=0.01
    )


def test_a_start_of_the_peaker_asks_an_operator_and_runs_an_interval_later(plant: SmallGrid) -> None:
    spike: dict[str, Any] = {"kind": "price_spike", "size": 900.0, "duration_min": 30.0}
    said = simulate(plant, **spike)
    asked = [finding for finding in said.guardrails if finding.rule == "peaker_start"]
    assert [(finding.effect, finding.loop, finding.times) for finding in asked] == [
        ("needs_approval", "response", 1)
    ]
    first = asked[0].first_at_min
    running = [at for at, kw in zip(said.at_min, said.peaker_kw, strict=True) if kw > 0.0]
    assert (running[0], said.peaker_starts) == (first + 5.0, 1)

    refused = simulate(plant, **spike, approves=False)
    assert (max(refused.peaker_kw), refused.peaker_starts) == (0.0, 0)
    assert "nobody approves anything" in refused.assumptions


def test_while_halted_the_guardrails_refuse_all_and_the_loops_come_to_nothing(plant: SmallGrid) -> None:
    plant.context(replace(tool, effect="act", scope="grid:dispatch"), {}).halt("a test")
    said = simulate(plant, **TRIP)
    assert {(finding.rule, finding.effect) for finding in said.guardrails} >= {("kill_switch", "deny")}
    assert said.with_loops_kw == said.scenario_kw
    assert said.saved == 0.0
    assert {action.outcome for action in said.actions} == {"deny"}


def limited(limits: PlantLimits) -> Area:
    return replace(small_area(), limits=limits)


def test_what_the_rehearsal_spends_counts_against_the_days_ceiling(tmp_path: Path) -> None:
    """Discharging is worn at 10 per MWh, so 0.15 buys a quarter of an hour or so, and then no more."""
    made = grid_in(tmp_path, limited(replace(small_area().limits, max_usd_per_day=0.15))).start()
    said = simulate(made, **TRIP)
    denied = [finding for finding in said.guardrails if finding.effect == "deny"]
    assert {finding.rule for finding in denied} == {"cost_per_day"}
    assert min(finding.first_at_min for finding in denied) > 5.0
    discharged_kwh = sum(max(0.0, kw) for kw in said.battery_kw) / 12.0
    assert 0.05 < discharged_kwh * made.limits.battery.wear_usd_per_mwh / 1000.0 <= 0.15
    made.close()


def test_progress_is_told_interval_by_interval(noon: SmallGrid) -> None:
    told: list[tuple[float, float | None]] = []
    simulate(noon, {"progress": lambda done, total, _message: told.append((done, total))}, **TRIP)
    assert told == [(number, 18) for number in range(1, 19)]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["solar_drop", "unit_trip", "load_rise", "price_spike"]),
    size=st.floats(0.1, 100.0) | st.just(100.0),
    duration_min=st.floats(5.0, 90.0),
    start_in_min=st.floats(0.0, 45.0),
    approves=st.booleans(),
)
def test_no_scenario_leaves_a_limit(noon: SmallGrid, **arguments: Any) -> None:
    before = noon.written()
    if arguments["kind"] in ("unit_trip", "price_spike"):
        arguments["size"] *= 20.0
    said, limits = simulate(noon, **arguments), noon.limits
    assert max(map(abs, said.battery_kw)) <= limits.battery.power_kw + 0.01
    assert 0.0 <= said.soc_end_pct <= 100.0
    for kw in said.peaker_kw:
        assert kw == 0.0 or limits.peaker.min_power_kw - 0.01 <= kw <= limits.peaker.power_kw + 0.01
    injected = np.add(said.battery_kw, said.peaker_kw)
    assert np.add(said.with_loops_kw, injected) == pytest.approx(np.array(said.scenario_kw), abs=0.03)
    assert len(said.at_min) <= 24
    assert noon.written() == before


def test_a_stale_grid_is_no_start_for_a_scenario(plant: SmallGrid) -> None:
    plant.clock.advance(3600.0)
    with pytest.raises(ToolUnavailableError, match=r"telemetry of site='area-native' is 3900 s old.*900 s"):
        simulate(plant, **TRIP)


def test_without_a_fresh_forecast_it_goes_on_from_what_is_measured_and_says_so(plant: SmallGrid) -> None:
    level_kw = 900.0
    for _ in range(8):
        for site in (AREA_SITE, NATIVE_SITE):
            plant.measure(site, net_load_kw=level_kw)
        plant.clock.advance(CADENCE_S)
    plant.owner.report()
    said = simulate(plant, **TRIP)
    assert "no fresh forecast: net load is expected to stay as measured" in said.assumptions
    assert set(said.expected_kw) == {level_kw}


def test_an_unmeasured_grid_is_no_start_for_a_scenario(grid: SmallGrid) -> None:
    with pytest.raises(ToolUnavailableError, match="has measured nothing yet"):
        simulate(grid, **TRIP)


def test_before_the_assets_have_reported_it_says_what_to_start(grid: SmallGrid) -> None:
    for site in (AREA_SITE, NATIVE_SITE):
        grid.measure(site, net_load_kw=900.0)
    with pytest.raises(ToolUnavailableError, match="the assets have not reported yet; start"):
        simulate(grid, **TRIP)


def test_a_newest_interval_without_a_net_load_is_said(plant: SmallGrid) -> None:
    plant.clock.advance(CADENCE_S)
    plant.owner.report()
    with pytest.raises(ToolUnavailableError, match="no net load in the newest interval"):
        simulate(plant, **TRIP)


def test_a_site_that_does_not_measure_the_channel_is_named_with_one_that_does(noon: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match=r"'area' has measured no solar_kw.*such as area-native"):
        simulate(noon, kind="solar_drop", size=50.0, site=AREA_SITE)


def test_a_site_outside_the_area_is_refused_with_those_inside(noon: SmallGrid) -> None:
    sites = {**noon.area.sites, "elsewhere": SiteInfo("elsewhere", CADENCE_S, parent="nowhere")}
    with pytest.raises(ToolInputError, match="not part of area; use one of: area, area-native"):
        simulate(noon, {"sites": sites}, **TRIP, site="elsewhere")
    with pytest.raises(ToolInputError, match="'moon' is not known"):
        simulate(noon, **TRIP, site="moon")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"kind": "solar_drop", "size": 101.0}, "at most 100 percent"),
        ({"kind": "unit_trip", "size": 0.0}, "more than 0"),
        ({"kind": "load_rise", "size": -5.0}, "more than 0"),
        ({"kind": "unit_trip", "size": 2e9}, "size"),
        ({"kind": "earthquake", "size": 5.0}, "kind"),
        ({"kind": "unit_trip", "size": 5.0, "duration_min": 241.0}, "duration_min"),
        ({"kind": "unit_trip", "size": 5.0, "start_in_min": -1.0}, "start_in_min"),
        ({"kind": "unit_trip"}, "size"),
    ],
)
def test_what_cannot_happen_is_refused_by_name(
    noon: SmallGrid, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        simulate(noon, **arguments)
