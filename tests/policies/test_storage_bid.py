"""A storage bid keeps every limit at any price, and its power never falls as the price rises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.assets import BatterySpec
from grid.storage_value import StorageSteps
from policies.storage_bid import STEEPEST, StorageBid, TradeRoom, ValueLadder, meter_power_kw

INTERVAL_S = 300.0
BATTERY = BatterySpec(1000.0, 4000.0)
STEPS = StorageSteps.of(BATTERY, INTERVAL_S)
PRICES = (-20.0, 30.0, 80.0, 600.0)

ladders = st.lists(st.floats(-100.0, 900.0), min_size=36, max_size=36).map(
    lambda values: ValueLadder(np.array([PRICES]), np.array(values).reshape(1, 4, 9))
)
socs = st.floats(0.0, 4000.0)
prices = st.floats(-200.0, 2000.0)


def bid(ladder: ValueLadder, soc_kwh: float, room: TradeRoom | None = None) -> StorageBid:
    return StorageBid(ladder.tamed(), STEPS, room or TradeRoom.of(STEPS), soc_kwh, INTERVAL_S)


@given(ladders, socs, prices)
def test_what_clears_keeps_power_and_energy_limits(ladder: ValueLadder, soc: float, price: float) -> None:
    power_kw = bid(ladder, soc).power_kw(price)
    assert abs(power_kw) <= BATTERY.power_kw + 1e-6
    meter_kwh = power_kw * INTERVAL_S / 3600.0
    eta = BATTERY.one_way_efficiency
    after = soc - (meter_kwh / eta if meter_kwh > 0 else meter_kwh * eta)
    assert -1e-6 <= after <= BATTERY.energy_kwh + 1e-6


@given(ladders, socs, prices, st.floats(0.0, 500.0))
def test_power_never_falls_as_the_price_rises(
    ladder: ValueLadder, soc: float, price: float, more: float
) -> None:
    offered = bid(ladder, soc)
    assert offered.power_kw(price + more) >= offered.power_kw(price) - 1e-6


@given(ladders)
def test_tamed_values_fall_with_stored_energy_and_rise_slowly_with_price(ladder: ValueLadder) -> None:
    tamed = ladder.tamed()
    assert np.all(np.diff(tamed.at(np.array([100.0]))) <= 1e-9)
    rise = np.diff(tamed.values, axis=1)[0] / np.diff(np.array(PRICES))[:, None]
    assert np.all(rise <= STEEPEST + 1e-9)


@given(ladders, socs, prices, st.floats(0.0, 2500.0))
def test_reserved_energy_is_left_to_response(
    ladder: ValueLadder, soc: float, price: float, reserve_kwh: float
) -> None:
    room = TradeRoom.of(STEPS, reserve_kwh=reserve_kwh, reserve_share=0.4)
    after = room.after(soc, 4000.0, 4000.0), room.after(soc, 0.0, 0.0)
    assert after[0] <= max(soc, room.ceiling_kwh)
    assert after[1] >= min(soc, room.floor_kwh)
    assert abs(bid(ladder, soc, room).power_kw(price)) <= 0.6 * BATTERY.power_kw + 1e-6


@given(ladders, socs, prices, st.floats(-0.1, 0.02))
def test_the_cycle_limit_bounds_what_is_discharged(
    ladder: ValueLadder, soc: float, price: float, left: float
) -> None:
    power_kw = bid(ladder, soc, TradeRoom.of(STEPS, cycles_left=left)).power_kw(price)
    taken_kwh = max(0.0, power_kw) * INTERVAL_S / 3600.0 / BATTERY.one_way_efficiency
    assert taken_kwh <= max(0.0, left) * BATTERY.energy_kwh + 1e-6


def test_a_bid_sells_dear_buys_cheap_and_holds_between() -> None:
    flat = ValueLadder(np.array([PRICES]), np.full((1, 4, 9), 50.0))
    offered = bid(flat, 2000.0)
    assert offered.curve(np.array([20.0, 55.0, 90.0])) == pytest.approx([-1000.0, 0.0, 1000.0])
    assert offered.value_usd_per_mwh() == pytest.approx(50.0)


def test_losses_are_halved_between_the_ways() -> None:
    assert meter_power_kw(2000.0, 2000.0 + STEPS.charge_kwh, STEPS, INTERVAL_S) == pytest.approx(-1000.0)
    assert meter_power_kw(2000.0, 2000.0 - STEPS.discharge_kwh, STEPS, INTERVAL_S) == pytest.approx(1000.0)
