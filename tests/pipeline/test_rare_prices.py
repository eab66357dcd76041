"""Rules for prices that trees see too seldom: recent spikes may return, high load may bring them again."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from grid.storage_value import StorageSteps
from pipeline.trading.load_signals import LOAD_PEAK
from pipeline.trading.market_table import MarketTable
from pipeline.trading.rare_prices import RareIncome, spike_values

STEPS = StorageSteps(1000.0, 0.95, 10.0, 480.0, 520.0)
DAYS, PER_DAY = 60, 48
HOT_DAYS = (35, 42, 49)
SPIKE_H = 18


def table(*, spikes: bool = True, load: bool = True, until: int = DAYS * PER_DAY) -> MarketTable:
    """Half-hourly: on hot days net load stands higher from noon on, and at 18:00 the price is 5,000."""
    index = pd.date_range("2024-01-01", periods=DAYS * PER_DAY, freq="30min", tz="UTC", name="ts_utc")
    hour = np.arange(len(index)) / 2 % 24
    hot = np.isin(np.arange(len(index)) // PER_DAY, HOT_DAYS)
    price = 50.0 + 20.0 * np.sin(2 * np.pi * hour / 24)
    price[hot & (hour == SPIKE_H) & spikes] = 5000.0
    net_load = 100.0 + 10.0 * np.sin(2 * np.pi * (hour - 12) / 24) + np.where(hot & (hour >= 12), 60.0, 0.0)
    market = (
        pd.Series(price, index)[:until],
        None,
        1800.0,
        ZoneInfo("UTC"),
        pd.Series(net_load, index)[:until] if load else None,
    )
    return MarketTable.of(*market)


def at(day: int, hour: float) -> np.ndarray:
    return np.array([day * PER_DAY + round(hour * 2)])


def income(market: MarketTable, until: int = DAYS * PER_DAY) -> RareIncome:
    found = RareIncome.of(market, until, STEPS)
    assert found is not None
    return found


def test_a_spike_makes_stored_energy_dearer_for_some_hours_least_when_full() -> None:
    calm, after = table(spikes=False), table()
    during, since = at(42, SPIKE_H), at(42, SPIKE_H + 0.5)
    assert np.all(spike_values(calm, since) == 0.0)
    assert np.all(spike_values(after, during) == 0.0)
    above = 5000.0 - 5.0 * after.level(since)[0]
    found = spike_values(after, since)[0]
    assert found[0] == pytest.approx(0.1 * above / 24, rel=1e-4)
    assert found[-1] == pytest.approx(0.05 * above / 24, rel=1e-4)
    assert np.all(np.diff(found) < 0)
    assert np.all(spike_values(after, since + 24) == 0.0)


def test_energy_is_kept_for_rare_prices_where_load_will_be_high() -> None:
    market = table()
    learnt = income(market)
    before, calm_day, night = (learnt.values(market, one)[0] for one in (at(49, 15), at(50, 15), at(49, 23)))
    assert before[0] > 5.0
    assert np.all(calm_day < 0.1 * before)
    assert np.all(night == 0.0)


def test_a_market_without_rare_prices_adds_nothing() -> None:
    market = table(spikes=False)
    assert np.all(income(market).per_mwh == 0.0)


def test_without_net_load_nothing_is_learnt_and_where_it_is_missing_nothing_is_added() -> None:
    assert RareIncome.of(table(load=False), DAYS * PER_DAY, STEPS) is None
    market = table()
    market.signals[at(49, 15), market.names.index(LOAD_PEAK)] = np.nan
    everywhere = RareIncome(np.ones((24, 3, 5)))
    assert np.all(everywhere.values(market, at(49, 15)) == 0.0)
    assert np.all(everywhere.values(market, at(49, 16)) > 0.0)


def test_rare_income_rests_on_prices_before_the_limit_alone() -> None:
    until = 45 * PER_DAY
    np.testing.assert_array_equal(income(table(), until).per_mwh, income(table(until=until), until).per_mwh)
    assert income(table()).per_mwh.max() > income(table(), until).per_mwh.max()


def test_more_load_never_lowers_the_income() -> None:
    assert np.all(np.diff(income(table()).per_mwh, axis=1) >= 0)
