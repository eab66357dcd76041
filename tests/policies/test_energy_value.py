import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.assets import BatterySpec
from policies.energy_value import energy_value_usd_per_mwh

BATTERY = BatterySpec(power_kw=1_000.0, energy_kwh=2_000.0)
ETA = math.sqrt(0.9)
PRICES = st.lists(st.floats(-50, 400), min_size=1, max_size=40)


def certain(prices: list[float]) -> np.ndarray:
    return np.column_stack([prices] * 3)


def value(soc_kwh: float, prices: np.ndarray, battery: BatterySpec = BATTERY) -> float:
    found = energy_value_usd_per_mwh(battery, soc_kwh, prices, 900.0)
    assert found is not None
    return found


@given(PRICES)
def test_the_more_is_stored_the_less_one_more_is_worth(prices: list[float]) -> None:
    values = [value(soc_kwh, certain(prices)) for soc_kwh in np.linspace(0, 2_000, 9)]
    assert all(after <= before + 1e-6 for before, after in pairwise(values))


def test_stored_energy_is_worth_the_dearest_hours_that_it_still_reaches() -> None:
    """An hour at 100 before cheap ones takes 1,054 kWh; what is stored beyond that is worth less."""
    prices = certain([100.0] * 4 + [20.0] * 8)
    assert value(500.0, prices) == pytest.approx((100.0 - 10.0) * ETA, rel=0.01)
    assert value(1_900.0, prices) < 60.0


def test_it_is_worth_no_more_than_buying_it_now_costs() -> None:
    cheap_now = certain([10.0] * 16 + [100.0] * 4)
    assert value(200.0, cheap_now) == pytest.approx(10.0 / ETA, rel=0.02)


def test_prices_that_may_stray_make_it_worth_more() -> None:
    even = certain([50.0] * 24)
    strays = np.column_stack([[20.0] * 24, [50.0] * 24, [80.0] * 24])
    assert value(300.0, strays) > value(300.0, even) + 2.0


def test_without_a_price_it_is_not_known_and_what_follows_a_gap_does_not_count() -> None:
    assert energy_value_usd_per_mwh(BATTERY, 500.0, np.empty((0, 3)), 900.0) is None
    assert energy_value_usd_per_mwh(BATTERY, 500.0, np.full((3, 3), np.nan), 900.0) is None
    gap = certain([40.0, 40.0, math.nan, 900.0])
    assert value(500.0, gap) == value(500.0, certain([40.0, 40.0]))


def test_the_reserve_at_the_bottom_of_the_battery_is_not_counted_as_stored() -> None:
    kept = BatterySpec(power_kw=1_000.0, energy_kwh=2_000.0, soc_min=0.25)
    prices = certain([100.0] * 4 + [20.0] * 8)
    assert value(600.0, prices, kept) == pytest.approx((100.0 - 10.0) * ETA, rel=0.01)
    assert value(1_950.0, prices, kept) < 60.0
