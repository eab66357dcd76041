"""The peaker keeps its minimum load, its ramp, and its minimum up and down times."""

import math
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.assets import PeakerSpec, PeakerState
from grid.units import energy_kwh

STEP_S = 60.0
SPECS = st.builds(
    PeakerSpec,
    power_kw=st.just(1000.0),
    min_power_kw=st.floats(10.0, 900.0),
    ramp_kw_per_s=st.one_of(st.just(math.inf), st.floats(0.05, 20.0)),
    min_up_s=st.sampled_from([0.0, 300.0, 600.0]),
    min_down_s=st.sampled_from([0.0, 300.0, 600.0]),
)
SETPOINTS = st.lists(st.sampled_from([-200.0, 0.0, 300.0, 700.0, 2000.0]), min_size=1, max_size=60)


def run(spec: PeakerSpec, setpoints: list[float]) -> list[PeakerState]:
    states = [PeakerState()]
    for setpoint_kw in setpoints:
        states.append(states[-1].step(spec, setpoint_kw, STEP_S))
    return states


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, setpoints=SETPOINTS)
def test_a_peaker_is_off_at_zero_or_on_between_minimum_and_rated_power(
    spec: PeakerSpec, setpoints: list[float]
) -> None:
    for state in run(spec, setpoints):
        if state.on:
            assert spec.min_power_kw <= state.power_kw <= spec.power_kw
        else:
            assert state.power_kw == 0.0


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, setpoints=SETPOINTS)
def test_minimum_up_and_down_times_hold(spec: PeakerSpec, setpoints: list[float]) -> None:
    states = run(spec, setpoints)[1:]
    phases = [(on, len(list(group)) * STEP_S) for on, group in groupby(states, key=lambda state: state.on)]
    for on, lasted_s in phases[:-1]:
        if on:
            assert lasted_s >= spec.min_up_s
    for on, lasted_s in phases[1:-1]:
        if not on:
            assert lasted_s >= spec.min_down_s


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, setpoints=SETPOINTS)
def test_power_changes_by_the_ramp_and_stops_only_from_reach_of_the_minimum(
    spec: PeakerSpec, setpoints: list[float]
) -> None:
    reach_kw = spec.ramp_kw_per_s * STEP_S
    for before, after in pairwise(run(spec, setpoints)):
        if before.on and after.on:
            assert abs(after.power_kw - before.power_kw) <= reach_kw * (1 + 1e-9)
        if before.on and not after.on:
            assert before.power_kw - reach_kw <= spec.min_power_kw


@settings(max_examples=100, deadline=None)
@given(spec=SPECS, setpoints=SETPOINTS)
def test_starts_and_energy_are_counted(spec: PeakerSpec, setpoints: list[float]) -> None:
    states = run(spec, setpoints)
    starts = sum(after.on and not before.on for before, after in pairwise(states))
    assert states[-1].starts == starts
    assert states[-1].generated_kwh == pytest.approx(
        sum(energy_kwh(state.power_kw, STEP_S) for state in states)
    )


def test_a_stop_from_full_power_unloads_by_the_ramp_first() -> None:
    spec = PeakerSpec(1000.0, 300.0, ramp_kw_per_s=5.0, min_up_s=0.0)
    running = PeakerState(power_kw=1000.0, on=True, in_state_s=3600.0)
    states = [running]
    while states[-1].on:
        states.append(states[-1].step(spec, 0.0, STEP_S))
    assert [state.power_kw for state in states] == [1000.0, 700.0, 400.0, 0.0]


def test_an_early_stop_keeps_it_at_minimum_load_until_its_minimum_up_time_ends() -> None:
    spec = PeakerSpec(1000.0, 300.0, min_up_s=120.0)
    states = run(spec, [1000.0, 0.0, 0.0])
    assert [state.power_kw for state in states] == [0.0, 1000.0, 300.0, 0.0]
    assert states[1].must_run(spec)
    assert not states[2].must_run(spec)


def test_running_cost_is_fuel_and_upkeep() -> None:
    assert PeakerSpec(1000.0, 300.0).running_usd_per_mwh == 90.0
