"""The check of a schedule sees each limit that is broken, and nothing in one that keeps them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grid.assets import BatterySpec
from grid.storage_value import StorageSteps
from smartgrid.backtests.storage_check import broken_rows
from smartgrid.backtests.storage_references import threshold_levels, yesterday_values
from smartgrid.backtests.storage_run import run_levels

HALF_HOUR_S = 1800.0
STEPS = StorageSteps.of(BatterySpec(1000.0, 2000.0), HALF_HOUR_S)


def schedule() -> pd.DataFrame:
    price = 40.0 + 30.0 * np.sin(np.arange(96) / 5.0)
    price[10] = np.nan
    index = pd.date_range("2024-01-01", periods=96, freq="30min", tz="UTC")
    levels = threshold_levels(price, 30.0, 50.0, STEPS)
    return run_levels(price, levels, STEPS, HALF_HOUR_S).schedule(index, price)


def test_a_schedule_that_keeps_all_limits_has_no_broken_rows() -> None:
    rows = schedule()
    assert rows["power_kw"].abs().max() == pytest.approx(1000.0)
    assert broken_rows(rows, STEPS, HALF_HOUR_S) == 0


@pytest.mark.parametrize("limit", ["charge_kwh", "discharge_kwh"])
def test_more_power_than_the_battery_has_is_counted(limit: str) -> None:
    weaker = replace(STEPS, **{limit: 0.5 * getattr(STEPS, limit)})
    assert broken_rows(schedule(), weaker, HALF_HOUR_S) > 0


def test_energy_beyond_full_or_empty_is_counted() -> None:
    for shift in (-500.0, 500.0):
        rows = schedule()
        rows["soc_kwh"] += shift
        assert broken_rows(rows, STEPS, HALF_HOUR_S) > 1  # the first one breaks the balance


def test_energy_that_appears_is_counted() -> None:
    rows = schedule()
    rows.loc[95, "soc_kwh"] = 1234.5
    assert broken_rows(rows, STEPS, HALF_HOUR_S) == 1


def test_a_trade_without_a_price_is_counted() -> None:
    rows = schedule()
    rows.loc[rows["power_kw"].abs().idxmax(), "price_usd_per_mwh"] = np.nan
    assert broken_rows(rows, STEPS, HALF_HOUR_S) == 1


def test_plans_on_yesterday_are_the_same_when_only_the_later_ones_are_asked_for() -> None:
    price = np.random.default_rng(2).normal(40.0, 20.0, 400)
    whole = yesterday_values(price, STEPS, 2)
    np.testing.assert_array_equal(yesterday_values(price, STEPS, 2, 201), whole[201:])
