"""What the trees are taught: rare spikes count half; a rule adds what they are worth if they return."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from grid.storage_value import StorageSteps
from pipeline.trading import learning
from pipeline.trading.market_table import MarketTable
from pipeline.trading.value_model import NODES, Inputs, spike_values

STEPS = StorageSteps(1000.0, 0.95, 10.0, 480.0, 520.0)


def table(spike: float = 0.0) -> MarketTable:
    index = pd.date_range("2024-01-01", periods=60 * 48, freq="30min", tz="UTC", name="ts_utc")
    price = 50.0 + 20.0 * np.sin(2 * np.pi * np.arange(len(index)) / 48)
    price[2400] += spike
    return MarketTable.of(pd.Series(price, index), None, 1800.0, ZoneInfo("UTC"))


def test_what_lies_far_above_the_level_counts_half_up_to_a_limit() -> None:
    market, at = table(), np.array([2000])
    level = float(market.level(at)[0])
    values = np.zeros((3000, 5))
    values[2000] = level * np.array([4.0, 10.0, 14.0, 1000.0, -1000.0])
    np.testing.assert_allclose(learning._relative(values, market, at)[0], [4.0, 10.0, 12.0, 20.0, -5.0])


def test_a_spike_makes_stored_energy_dearer_for_some_hours_least_when_full() -> None:
    calm, after = table(), table(spike=5000.0)
    assert np.all(spike_values(calm, np.arange(2000, 2500)) == 0.0)
    found = spike_values(after, np.array([2400, 2401, 2424, 2425]))
    assert np.all(found[[0, 3]] == 0.0)
    level = after.level(np.array([2401]))[0]
    expected = (5000.0 + calm.price[2400] - 5.0 * level) / 24
    assert found[1, 0] == pytest.approx(expected, rel=1e-4)
    assert np.all(np.diff(found[1]) < 0)
    assert found[1, NODES - 1] == 0.0


def test_the_tuning_that_earned_most_in_the_past_is_chosen() -> None:
    market = table()
    inputs, past = Inputs.of(market, STEPS), np.arange(48 * 20, 48 * 50)
    price = market.price[past]
    right = learning._hindsight(price, STEPS)
    for wrong in (0.95, 1.05):
        factors, _ = learning._best_tuning(inputs, past, price, right / wrong)
        assert factors[0] == pytest.approx(wrong)
