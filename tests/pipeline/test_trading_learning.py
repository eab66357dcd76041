"""What the trees are taught: rare spikes count half, up to a limit; and how their values are scaled."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from grid.storage_value import StorageSteps
from pipeline.trading import learning
from pipeline.trading.market_table import MarketTable
from pipeline.trading.rare_prices import CUT
from pipeline.trading.value_model import Inputs

STEPS = StorageSteps(1000.0, 0.95, 10.0, 480.0, 520.0)


def table() -> MarketTable:
    index = pd.date_range("2024-01-01", periods=60 * 48, freq="30min", tz="UTC", name="ts_utc")
    price = 50.0 + 20.0 * np.sin(2 * np.pi * np.arange(len(index)) / 48)
    return MarketTable.of(pd.Series(price, index), None, 1800.0, ZoneInfo("UTC"))


def test_what_lies_far_above_the_level_counts_half_up_to_a_limit() -> None:
    market, at = table(), np.array([2000])
    level = float(market.level(at)[0])
    values = np.zeros((3000, 5))
    values[2000] = level * np.array([4.0, 10.0, 14.0, 1000.0, -1000.0])
    np.testing.assert_allclose(learning._relative(values, market, at)[0], [4.0, 10.0, 12.0, CUT, -5.0])


def test_the_scale_that_earned_most_in_the_past_is_chosen() -> None:
    market = table()
    inputs, past = Inputs.of(market, STEPS), np.arange(48 * 20, 48 * 50)
    price = market.price[past]
    right = learning._hindsight(price, STEPS)
    for wrong in (0.95, 1.05):
        factors = learning._best_scales(inputs, past, price, right / wrong)
        assert factors[0] == pytest.approx(wrong)
