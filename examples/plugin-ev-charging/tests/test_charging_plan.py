import numpy as np
import pytest
from smartgrid_ev_charging.charging_plan import Vehicle, plan_charging

NIGHT = np.array([50.0, 40.0, 10.0, 20.0, 30.0, 60.0])
STEP_H = 0.25


def test_energy_is_taken_where_it_is_cheapest() -> None:
    planned = plan_charging([Vehicle(10.0, 20.0, 0, 6)], NIGHT, STEP_H, 100.0)
    assert planned.tolist() == [pytest.approx([0.0, 0.0, 20.0, 20.0, 0.0, 0.0])]


def test_a_vehicle_that_leaves_early_charges_before_it_leaves() -> None:
    planned = plan_charging([Vehicle(10.0, 20.0, 0, 2)], NIGHT, STEP_H, 100.0)
    assert planned.tolist() == [pytest.approx([20.0, 20.0, 0.0, 0.0, 0.0, 0.0])]


def test_a_vehicle_does_not_charge_before_it_comes() -> None:
    planned = plan_charging([Vehicle(5.0, 20.0, 3, 6)], NIGHT, STEP_H, 100.0)
    assert planned.tolist() == [pytest.approx([0.0, 0.0, 0.0, 20.0, 0.0, 0.0])]


def test_together_they_stay_within_the_connection_and_all_are_ready() -> None:
    vehicles = [Vehicle(7.5, 20.0, 0, 4), Vehicle(7.5, 20.0, 0, 6), Vehicle(5.0, 20.0, 2, 6)]
    planned = plan_charging(vehicles, NIGHT, STEP_H, 25.0)
    assert planned.sum(axis=0).max() <= 25.0 + 1e-9
    assert (planned.sum(axis=1) * STEP_H).tolist() == pytest.approx([7.5, 7.5, 5.0])


def test_what_cannot_be_charged_in_time_is_left_out_and_no_more() -> None:
    planned = plan_charging([Vehicle(20.0, 20.0, 0, 2)], NIGHT, STEP_H, 100.0)
    assert planned.sum() * STEP_H == pytest.approx(10.0)


def test_nothing_is_charged_where_no_price_is_known() -> None:
    prices = np.where(NIGHT < 25.0, np.nan, NIGHT)
    planned = plan_charging([Vehicle(5.0, 20.0, 0, 6)], prices, STEP_H, 100.0)
    assert planned.tolist() == [pytest.approx([0.0, 0.0, 0.0, 0.0, 20.0, 0.0])]
    assert not plan_charging([Vehicle(5.0, 20.0, 0, 6)], np.full(6, np.nan), STEP_H, 100.0).any()


def test_of_equal_prices_the_earlier_is_taken() -> None:
    planned = plan_charging([Vehicle(5.0, 20.0, 0, 6)], np.full(6, 30.0), STEP_H, 100.0)
    assert planned.tolist() == [pytest.approx([20.0, 0.0, 0.0, 0.0, 0.0, 0.0])]


def test_negative_prices_are_the_cheapest() -> None:
    planned = plan_charging([Vehicle(5.0, 20.0, 0, 6)], NIGHT - 45.0, STEP_H, 100.0)
    assert planned.argmax() == 2
