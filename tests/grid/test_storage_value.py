"""The value of stored energy against a linear programme, and the levels that a price leads to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from grid.assets import BatterySpec
from grid.storage_foresight import foresight_profit_usd, foresight_slopes, values_at
from grid.storage_value import Array, Shift, StorageSteps, TradeLevels, interval_values

HOUR_S = 3600.0
SMALL = StorageSteps.of(BatterySpec(1000.0, 3000.0), HOUR_S)


def by_linear_programme(price: Array, steps: StorageSteps, initial_kwh: float) -> float:
    """Most profit, charging and discharging as separate columns in cell kWh."""
    n = len(price)
    priced = np.nan_to_num(price)
    costs = np.concatenate((steps.buying(priced), -steps.selling(priced))) / 1000.0
    may = ~np.isnan(price)
    bounds = [(0.0, steps.charge_kwh * ok) for ok in may] + [(0.0, steps.discharge_kwh * ok) for ok in may]
    sums = np.tril(np.ones((n, n)))
    stored = np.hstack((sums, -sums))
    limits = np.concatenate((np.full(n, steps.energy_kwh - initial_kwh), np.full(n, initial_kwh)))
    solved = linprog(costs, np.vstack((stored, -stored)), limits, bounds=bounds)
    assert solved.fun is not None
    return -solved.fun


@given(
    st.lists(st.one_of(st.integers(-200, 900), st.just(float("nan"))), min_size=1, max_size=30),
    st.floats(0.0, 3000.0),
)
def test_perfect_foresight_earns_what_a_linear_programme_finds(
    prices: list[int | float], initial: float
) -> None:
    price = np.array(prices, dtype=np.float64)
    assert foresight_profit_usd(price, SMALL, initial) == pytest.approx(
        by_linear_programme(price, SMALL, initial), abs=1e-6
    )


def test_marginal_values_are_the_derivative_of_perfect_foresight() -> None:
    price = np.array([20.0, 90.0, np.nan, 10.0, 60.0, 35.0])
    for at, slopes, widths in foresight_slopes(price, SMALL):
        assert sum(widths) == pytest.approx(SMALL.energy_kwh)
        for soc in (150.0, 1550.0, 2850.0):
            up, down = (foresight_profit_usd(price[at:], SMALL, soc + step) for step in (1.0, -1.0))
            value = values_at(slopes, widths, np.array([soc]))[0]
            assert value == pytest.approx((up - down) / 2.0 * 1000.0, abs=1e-6)


def test_recursion_on_a_grid_agrees_with_the_exact_slopes() -> None:
    steps = StorageSteps(1000.0, 0.95, 10.0, 100.0, 100.0)
    nodes = np.linspace(0.0, 1000.0, 11)
    charge, discharge = Shift.of(nodes, 100.0), Shift.of(nodes, -100.0)
    price = np.random.default_rng(1).normal(40.0, 30.0, 40)
    values = np.zeros((1, 11))
    for at, slopes, widths in foresight_slopes(price, steps):
        now = price[at : at + 1, None]
        values = interval_values(values, steps.buying(now), steps.selling(now), charge, discharge)
        middles = (nodes[:-1] + nodes[1:]) / 2.0
        exact = values_at(slopes, widths, middles)
        assert np.all(values[0, :-1] >= exact - 1e-9)
        assert np.all(values[0, 1:] <= exact + 1e-9)


curves = st.lists(st.floats(-100.0, 300.0), min_size=9, max_size=9).map(lambda v: sorted(v, reverse=True))


@given(curves, st.floats(-150.0, 400.0), st.floats(0.0, 3000.0))
def test_a_step_towards_a_level_stays_within_power_and_capacity(
    curve: list[float], price: float, soc: float
) -> None:
    levels = TradeLevels.of(np.array([curve]), np.array([price]), SMALL)
    after = levels.after(np.array([soc]), SMALL)[0]
    assert 0.0 <= after <= SMALL.energy_kwh
    assert -SMALL.discharge_kwh - 1e-9 <= after - soc <= SMALL.charge_kwh + 1e-9


@given(curves, st.floats(-50.0, 300.0), st.floats(0.0, 60.0))
def test_a_higher_price_never_asks_for_more_stored_energy(
    curve: list[float], price: float, more: float
) -> None:
    values = np.array([curve, curve])
    levels = TradeLevels.of(values, np.array([price, price + more]), SMALL)
    assert levels.charge_to[1] <= levels.charge_to[0] + 1e-9
    assert levels.discharge_to[1] <= levels.discharge_to[0] + 1e-9


@pytest.mark.parametrize(("value", "price"), [(np.nan, 50.0), (30.0, np.nan)])
def test_a_missing_value_or_price_is_no_reason_to_move(value: float, price: float) -> None:
    levels = TradeLevels.of(np.full((1, 9), value), np.array([price]), SMALL)
    assert levels.after(np.array([1234.0]), SMALL)[0] == 1234.0
