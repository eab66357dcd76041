"""What a signal wants of an asset: signs, units, levels, and what is declined."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.assets.battery import BatterySpec, BatteryState
from policies.proposal import AssetName
from smartgrid.openadr.reading import Ask, Declined, Wish, read
from smartgrid.openadr.signals import Payload
from tests.openadr.conftest import event

STATUS: dict[str, Any] = {
    "battery": {
        "max_power_kw": 1_000.0,
        "energy_kwh": 2_000.0,
        "soc_kwh": 1_000.0,
        "round_trip_efficiency": 0.81,
    },
    "peaker": {"max_power_kw": 800.0},
}
HOUR = timedelta(hours=1)


def wish(
    kind: str,
    *values: float | str | bool,
    asset: AssetName = "battery",
    unit: str | None = "KW",
    named: bool = True,
    left: timedelta = HOUR,
) -> Wish:
    said = event(kind, unit=unit)
    return read(Ask(said, Payload(kind, values), asset, named, STATUS, left))


def why(found: Wish) -> str:
    assert isinstance(found, Declined)
    return found.why


@given(st.floats(-1e6, 1e6))
def test_a_setpoint_counts_consumption_and_a_wish_counts_injection(value: float) -> None:
    assert wish("DISPATCH_SETPOINT", value) == -value


def test_the_peaker_cannot_consume() -> None:
    assert wish("DISPATCH_SETPOINT", -300.0, asset="peaker") == 300.0
    assert "cannot" in why(wish("DISPATCH_SETPOINT", 300.0, asset="peaker"))


def test_a_setpoint_that_names_no_resource_is_declined() -> None:
    assert "event.targets" in why(wish("DISPATCH_SETPOINT", -300.0, named=False))


@pytest.mark.parametrize("unit", [None, "KWH", "MW"])
def test_a_setpoint_in_another_unit_is_declined_and_not_guessed(unit: str | None) -> None:
    assert "KW" in why(wish("DISPATCH_SETPOINT", -300.0, unit=unit))


@pytest.mark.parametrize(
    ("level", "battery_kw", "peaker_kw"),
    [(0, None, None), (1, 500.0, None), (2, 1_000.0, None), (3, 1_000.0, 800.0)],
)
def test_levels_ask_for_more_and_more(level: int, battery_kw: float | None, peaker_kw: float | None) -> None:
    assert wish("SIMPLE", level, named=False) == battery_kw
    assert wish("SIMPLE", level, asset="peaker", named=False) == peaker_kw


@pytest.mark.parametrize("level", [-1, 4, 1.5])
def test_a_level_that_does_not_exist_is_declined(level: float) -> None:
    assert "level" in why(wish("SIMPLE", level))


@pytest.mark.parametrize("value", [math.nan, math.inf, "much", True])
def test_what_is_no_finite_number_is_declined(value: float | str | bool) -> None:
    assert "number" in why(wish("DISPATCH_SETPOINT", value))


def test_several_values_in_one_interval_are_declined() -> None:
    assert "2 values" in why(wish("DISPATCH_SETPOINT", -300.0, -200.0))


@pytest.mark.parametrize("kind", ["PRICE", "EXPORT_CAPACITY_LIMIT", "CONTROL_SETPOINT", "OURS_ALONE"])
def test_other_signals_are_declined_by_name(kind: str) -> None:
    assert kind in why(wish(kind, 1.0))


@given(st.floats(20, 80), st.floats(0.5, 3))
def test_the_power_of_a_charge_state_brings_the_battery_there(goal_pct: float, hours: float) -> None:
    found = wish("CHARGE_STATE_SETPOINT", goal_pct, unit="PERCENT", left=timedelta(hours=hours))
    assert isinstance(found, float)
    spec = BatterySpec(
        power_kw=1_000.0, energy_kwh=2_000.0, round_trip_efficiency=0.81, soc_min=0.0, soc_max=1.0
    )
    battery = BatteryState(1_000.0).step(spec, found, timedelta(hours=hours).total_seconds())
    reached_pct = battery.soc_kwh / 20.0
    at_full_power = abs(found) == spec.power_kw
    assert at_full_power or math.isclose(reached_pct, goal_pct, abs_tol=1e-6)
    assert abs(goal_pct - reached_pct) <= abs(goal_pct - 50.0)


def test_a_charge_state_in_kwh_and_in_percent_are_the_same() -> None:
    in_percent = wish("CHARGE_STATE_SETPOINT", 75.0, unit="PERCENT")
    assert in_percent == wish("CHARGE_STATE_SETPOINT", 1_500.0, unit="KWH")
    assert in_percent == pytest.approx(-500.0 / 0.9)


def test_a_charge_state_asks_nothing_of_the_peaker() -> None:
    assert wish("CHARGE_STATE_SETPOINT", 75.0, asset="peaker", unit="PERCENT") is None


@pytest.mark.parametrize(("value", "unit"), [(120.0, "PERCENT"), (-1.0, "KWH"), (50.0, None)])
def test_a_charge_state_that_the_battery_cannot_have_is_declined(value: float, unit: str | None) -> None:
    why(wish("CHARGE_STATE_SETPOINT", value, unit=unit))
