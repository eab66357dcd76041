import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.accounts import Array, DayInput, settle_no_action, settle_run
from grid.assets import BatterySpec, BatteryState, PeakerSpec, PeakerState
from grid.perfect_foresight import perfect_foresight

BATTERY = BatterySpec(power_kw=1000.0, energy_kwh=2000.0)
PEAKER = PeakerSpec(power_kw=1000.0, min_power_kw=300.0, min_down_s=0.0, start_usd=60.0)


def random_day(seed: int, n: int = 24, interval_s: float = 900.0) -> DayInput:
    rng = np.random.default_rng(seed)
    steps = int(1800 / interval_s)
    line = 10_000.0 + np.cumsum(rng.normal(0.0, 500.0, n + 2 * steps))
    line[rng.random(len(line)) < 0.05] = np.nan
    price = rng.normal(40.0, 60.0, n)
    price[rng.random(n) < 0.05] = np.nan
    return DayInput(interval_s, line[steps:-steps], line[:steps], line[-steps:], price, 600.0)


def feasible(seed: int, day: DayInput) -> tuple[Array, Array]:
    """What the assets themselves make of random setpoints, within the daily cycles."""
    rng = np.random.default_rng(seed)
    battery, peaker, powers = BATTERY.initial_state(), PeakerState(), []
    for _ in range(len(day.native_kw)):
        left_kwh = BATTERY.max_cycles_per_day * BATTERY.energy_kwh - battery.cell_discharged_kwh
        most_kw = left_kwh * BATTERY.one_way_efficiency / day.hours
        battery = battery.step(BATTERY, min(rng.normal(0.0, 900.0), most_kw), day.interval_s)
        peaker = peaker.step(PEAKER, rng.choice([0.0, 0.0, 300.0, 1000.0]), day.interval_s)
        powers.append((battery.power_kw, peaker.power_kw))
    battery_kw, peaker_kw = np.array(powers).T
    return battery_kw, peaker_kw


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_no_feasible_schedule_costs_less_than_the_bound(seed: int) -> None:
    day = random_day(seed)
    best = perfect_foresight(day, BATTERY, PEAKER)
    ours = settle_run(day, *feasible(seed, day), BATTERY, PEAKER)
    slack = 1e-6 * max(1.0, abs(best.bound_usd))
    assert best.bound_usd <= ours.cost_usd + slack
    assert best.bound_usd <= settle_no_action(day).cost_usd + slack
    assert best.bound_usd <= best.accounts.cost_usd + slack


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_its_schedule_is_one_that_the_assets_can_follow(seed: int) -> None:
    day = random_day(seed)
    best = perfect_foresight(day, BATTERY, PEAKER)
    battery, peaker = BatteryState(BATTERY.initial_soc * BATTERY.energy_kwh), PeakerState()
    for battery_kw, peaker_kw in zip(best.battery_kw, best.peaker_kw, strict=True):
        battery = battery.step(BATTERY, battery_kw, day.interval_s)
        peaker = peaker.step(PEAKER, peaker_kw, day.interval_s)
        assert battery.power_kw == pytest.approx(battery_kw, abs=1e-3)
        assert peaker.power_kw == pytest.approx(peaker_kw, abs=1e-3)
    assert battery.cycles(BATTERY) <= BATTERY.max_cycles_per_day + 1e-6


def test_it_charges_cheap_and_sells_dear() -> None:
    price = np.concatenate((np.full(8, 10.0), np.full(8, 200.0)))
    still = np.zeros(2)
    day = DayInput(900.0, np.zeros(16), still, still, price, 5000.0)
    best = perfect_foresight(day, BATTERY, PeakerSpec(power_kw=1e-3, min_power_kw=0.0))
    assert best.battery_kw[:8].sum() * 0.25 == pytest.approx(-1000.0 / BATTERY.one_way_efficiency)
    assert best.accounts.energy_profit_usd > 0
    assert best.gap_usd < 1.0


def test_a_minimum_up_time_does_not_run_past_the_day() -> None:
    price = np.full(16, 20.0)
    price[-1] = 2000.0
    still = np.zeros(2)
    day = DayInput(900.0, np.zeros(16), still, still, price, 5000.0)
    best = perfect_foresight(day, BATTERY, PEAKER)
    assert best.peaker_kw[-1] == pytest.approx(1000.0)
    assert best.peaker_kw[-2] == 0.0


def test_intervals_longer_than_half_an_hour_carry_no_ramps() -> None:
    none = np.zeros(0)
    day = DayInput(3600.0, np.linspace(0.0, 1e5, 24), none, none, np.full(24, 30.0), 10.0)
    assert perfect_foresight(day, BATTERY, PEAKER).bound_usd == pytest.approx(0.0, abs=1e-6)
