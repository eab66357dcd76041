"""The battery keeps its energy balance and its bounds whatever it is asked to do."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.assets import BatterySpec, BatteryState
from grid.units import energy_kwh

SPECS = st.builds(
    BatterySpec,
    power_kw=st.floats(1.0, 5e4),
    energy_kwh=st.floats(1.0, 1e5),
    round_trip_efficiency=st.floats(0.5, 1.0),
    ramp_kw_per_s=st.one_of(st.just(math.inf), st.floats(0.01, 1e4)),
    soc_min=st.floats(0.0, 0.4),
    soc_max=st.floats(0.6, 1.0),
)
STEPS = st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(0.5, 7200.0)), min_size=1, max_size=30)


def close(value: float, spec: BatterySpec) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9 * spec.energy_kwh)


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, steps=STEPS)
def test_state_of_charge_stays_in_bounds_and_power_within_its_rating(
    spec: BatterySpec, steps: list[tuple[float, float]]
) -> None:
    state = spec.initial_state()
    for setpoint_kw, duration_s in steps:
        state = state.step(spec, setpoint_kw, duration_s)
        assert spec.soc_min * spec.energy_kwh <= state.soc_kwh <= spec.soc_max * spec.energy_kwh
        assert abs(state.power_kw) <= spec.power_kw


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, steps=STEPS)
def test_energy_in_less_energy_out_is_what_is_stored(
    spec: BatterySpec, steps: list[tuple[float, float]]
) -> None:
    state, root = spec.initial_state(), math.sqrt(spec.round_trip_efficiency)
    meter_kwh = 0.0
    for setpoint_kw, duration_s in steps:
        state = state.step(spec, setpoint_kw, duration_s)
        meter_kwh += energy_kwh(state.power_kw, duration_s)
    stored_kwh = state.charged_kwh * root - state.discharged_kwh / root
    assert state.soc_kwh - spec.initial_state().soc_kwh == close(stored_kwh, spec)
    assert state.discharged_kwh - state.charged_kwh == close(meter_kwh, spec)
    assert state.cell_discharged_kwh == close(state.discharged_kwh / root, spec)
    assert state.cycles(spec) == pytest.approx(state.cell_discharged_kwh / spec.energy_kwh)


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, steps=STEPS)
def test_power_never_overshoots_the_setpoint_nor_the_ramp(
    spec: BatterySpec, steps: list[tuple[float, float]]
) -> None:
    state = spec.initial_state()
    for setpoint_kw, duration_s in steps:
        before_kw, (low_kw, high_kw) = state.power_kw, state.power_range_kw(spec, duration_s)
        state = state.step(spec, setpoint_kw, duration_s)
        inside = low_kw < state.power_kw < high_kw
        if inside:
            assert abs(state.power_kw - before_kw) <= spec.ramp_kw_per_s * duration_s * (1 + 1e-9) + 1e-9
            low, high = sorted((before_kw, setpoint_kw))
            assert low <= state.power_kw <= high


def test_a_full_cycle_loses_the_round_trip() -> None:
    spec = BatterySpec(1000.0, 1000.0, round_trip_efficiency=0.81)
    state = BatteryState(soc_kwh=0.0).step(spec, -1000.0, 3600.0)
    assert state.soc_kwh == pytest.approx(900.0)
    state = state.step(spec, 1000.0, 3600.0)
    assert state.discharged_kwh == pytest.approx(810.0)
    assert state.soc_kwh == pytest.approx(0.0)
    assert state.cycles(spec) == pytest.approx(0.9)


def test_an_empty_battery_does_not_discharge_and_a_full_one_does_not_charge() -> None:
    spec = BatterySpec(1000.0, 2000.0)
    assert BatteryState(soc_kwh=0.0).step(spec, 500.0, 60.0).power_kw == 0.0
    assert BatteryState(soc_kwh=2000.0).step(spec, -500.0, 60.0).power_kw == 0.0


def test_a_battery_that_starts_outside_its_bounds_keeps_its_energy() -> None:
    spec = BatterySpec(1000.0, 2000.0, soc_max=0.5)
    state = BatteryState(soc_kwh=1500.0).step(spec, 0.0, 60.0)
    assert state.soc_kwh == 1500.0
    assert state.step(spec, -1000.0, 60.0).power_kw == 0.0


def test_a_slow_battery_climbs_by_its_ramp() -> None:
    spec = BatterySpec(1000.0, 2000.0, ramp_kw_per_s=10.0)
    state = spec.initial_state().step(spec, 1000.0, 5.0)
    assert state.power_kw == 50.0
    assert state.step(spec, 1000.0, 5.0).power_kw == 100.0
