from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from smartgrid_ev_charging import cover_depot_peak, plan_depot_charging

from smartgrid.plugin import Tool, ToolInputError, ToolUnavailableError
from smartgrid.testing import NOW, SmallGrid, check_tool

VANS: list[dict[str, Any]] = [
    {"name": "van 1", "energy_kwh": 60.0, "max_kw": 22.0, "ready_by": "2024-05-04T18:00:00Z"},
    {"name": "van 2", "energy_kwh": 40.0, "max_kw": 22.0, "ready_by": "2024-05-04T07:00:00+02:00"},
]
DEPOT: dict[str, Any] = {"vehicles": VANS, "depot_kw": 30.0}
PEAK: dict[str, Any] = {"charging_kw": 45.0, "connection_kw": 30.0, "duration_min": 30.0}


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[SmallGrid]:
    with SmallGrid(tmp_path / "state", tools=[plan_depot_charging.tool, cover_depot_peak.tool]) as made:
        yield made.start()


@pytest.mark.parametrize(
    ("tool", "example"), [(plan_depot_charging.tool, DEPOT), (cover_depot_peak.tool, PEAK)]
)
def test_the_tools_keep_the_contract(tool: Tool, example: dict[str, Any]) -> None:
    check_tool(tool, example)


def test_the_plan_is_cheaper_than_charging_at_once_and_all_leave_in_time(grid: SmallGrid) -> None:
    plan = grid.ask("plan_depot_charging", **DEPOT)
    assert plan.missing_kwh == 0.0
    assert [vehicle.charged_kwh for vehicle in plan.vehicles] == [60.0, 40.0]
    assert plan.cost < 0.95 * plan.cost_at_once
    leaves = {"van 1": NOW + timedelta(hours=16), "van 2": NOW + timedelta(hours=3)}
    assert all(span.from_utc >= NOW and span.until_utc <= leaves[span.vehicle] for span in plan.spans)


def test_the_greenest_hours_are_those_of_the_sun(grid: SmallGrid) -> None:
    van = {"name": "van", "energy_kwh": 40.0, "max_kw": 20.0, "ready_by": "2024-05-04T22:00:00Z"}
    plan = grid.ask("plan_depot_charging", vehicles=[van], depot_kw=30.0, prefer="greenest")
    outlook = grid.area.outlook
    assert outlook is not None
    levels = dict(enumerate(outlook.levels_kw(NOW, 20 * 12, {})))
    charging = [
        level for n, level in levels.items()
        if any(span.from_utc <= NOW + n * timedelta(minutes=5) < span.until_utc for span in plan.spans)
    ]  # fmt: skip
    assert sum(charging) / len(charging) < sum(levels.values()) / len(levels) - 50.0


def test_a_vehicle_with_too_little_time_is_told_what_is_missing(grid: SmallGrid) -> None:
    van = {"name": "late", "energy_kwh": 60.0, "max_kw": 20.0, "ready_by": "2024-05-04T03:00:00Z"}
    plan = grid.ask("plan_depot_charging", vehicles=[van], depot_kw=30.0)
    assert (plan.vehicles[0].charged_kwh, plan.vehicles[0].missing_kwh) == (20.0, 40.0)


def test_a_vehicle_that_has_left_is_refused_with_its_time(grid: SmallGrid) -> None:
    gone = {**VANS[0], "ready_by": "2024-05-04T01:00:00Z"}
    with pytest.raises(ToolInputError, match=r"ready_by=2024-05-04T01:00:00\+00:00 leaves no whole quarter"):
        grid.ask("plan_depot_charging", vehicles=[gone], depot_kw=30.0)


def test_the_greenest_hours_are_not_told_from_old_telemetry(grid: SmallGrid) -> None:
    grid.clock.advance(4 * 3600.0)
    van = {**VANS[0], "ready_by": "2024-05-04T20:00:00Z"}
    with pytest.raises(
        ToolUnavailableError, match=r"the newest measurement is \d+ s old; see get_grid_status"
    ):
        grid.ask("plan_depot_charging", vehicles=[van], depot_kw=30.0, prefer="greenest")
    assert grid.ask("plan_depot_charging", vehicles=[van], depot_kw=30.0).missing_kwh == 0.0


def test_the_battery_covers_the_peak(grid: SmallGrid) -> None:
    answer = grid.ask("cover_depot_peak", **PEAK)
    assert (answer.status, answer.asked_kw, answer.power_kw, answer.uncovered_kw) == (
        "accepted",
        15.0,
        15.0,
        0.0,
    )
    grid.advance()
    assert grid.owner.readings().battery.power_kw == pytest.approx(15.0)


def test_a_peak_beyond_the_battery_is_clipped_and_the_rest_is_told(grid: SmallGrid) -> None:
    most_kw = grid.limits.battery.power_kw
    answer = grid.ask("cover_depot_peak", **PEAK | {"charging_kw": 30.0 + most_kw + 10.0})
    assert (answer.status, answer.power_kw) == ("accepted", pytest.approx(most_kw))
    assert answer.uncovered_kw == pytest.approx(10.0)
    assert "battery_power" in answer.next_step


def test_what_is_within_the_connection_is_no_peak(grid: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match=r"charging_kw=20\.0 is within connection_kw=30\.0"):
        grid.ask("cover_depot_peak", **PEAK | {"charging_kw": 20.0})
