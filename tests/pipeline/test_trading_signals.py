"""What a bid rests on: nothing later than its interval, day-ahead prices from noon of the day before."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from grid.storage_value import StorageSteps
from pipeline.errors import BacktestError
from pipeline.trading.hourly import AHEAD_H
from pipeline.trading.market_table import MarketTable
from pipeline.trading.value_model import Inputs

ZONE = ZoneInfo("America/New_York")
QUARTER_S = 900.0
STEPS = StorageSteps(4000.0, 0.95, 10.0, 240.0, 260.0)


def prices(days: int, start: str = "2024-02-20T00:00Z") -> tuple[pd.Series, pd.Series]:
    index = pd.date_range(start, periods=days * 96, freq="15min", name="ts_utc")
    random = np.random.default_rng(3)
    shape = 40.0 + 15.0 * np.sin(2 * np.pi * np.arange(len(index)) / 96)
    price = pd.Series(shape + random.gamma(1.0, 12.0, len(index)), index)
    price.iloc[random.integers(0, len(index), 40)] = np.nan
    return price, pd.Series(shape[::4], index[::4])


def test_signals_do_not_change_when_the_future_is_cut_or_made_up() -> None:
    price, day_ahead = prices(40)
    net_load = 100.0 * price.rolling(3, min_periods=1).mean()
    whole = Inputs.of(MarketTable.of(price, day_ahead, QUARTER_S, ZONE, net_load), STEPS)
    cut = 30 * 96 + 37
    wrong, wrong_load = price.copy(), net_load.copy()
    wrong.iloc[cut:] = wrong_load.iloc[cut:] = 5000.0
    for other, load in ((price.iloc[: cut + 1], net_load.iloc[: cut + 1]), (wrong, wrong_load)):
        table = MarketTable.of(other, day_ahead.iloc[: cut // 4 + 40], QUARTER_S, ZONE, load)
        at, supposed = np.arange(cut + 1), np.full(cut + 1, 33.0)
        np.testing.assert_array_equal(Inputs.of(table, STEPS).rows(at, supposed), whole.rows(at, supposed))


def test_net_load_is_told_as_position_change_and_usual_course() -> None:
    price, _ = prices(40)
    hours = np.arange(len(price)) / 4
    day = pd.Series(100.0 + 10.0 * np.sin(2 * np.pi * hours / 24), price.index)
    table = MarketTable.of(price, None, QUARTER_S, ZONE, day)
    at = np.arange(35 * 96, 36 * 96)
    past = day.to_numpy()[at - 1]
    np.testing.assert_allclose(table.signal("load_change_24h", at), 0.0, atol=1e-6)
    np.testing.assert_allclose(table.signal("load_of_top", at), past / 110.0, rtol=1e-3)
    np.testing.assert_allclose(table.signal("load_unusual", at), 0.0, atol=1e-6)
    hour = day.rolling(4).mean().to_numpy()
    expected = (hour[at + 23] - hour[at - 1]) / 100.0
    np.testing.assert_allclose(table.signal("load_course_6h", at), expected, atol=1e-3)
    np.testing.assert_allclose(table.signal("load_peak_24h", at), 1.0, atol=0.005)
    np.testing.assert_allclose(table.signal("load_trough_24h", at), 90.0 / 110.0, atol=0.005)


def test_spikes_of_the_last_hours_are_remembered_and_then_forgotten() -> None:
    price, _ = prices(40)
    price.iloc[:] = 40.0
    price.iloc[2000] = 40.0 * 53
    table = MarketTable.of(price, None, QUARTER_S, ZONE)
    found = table.signal("spikes_12h", np.array([2000, 2001, 2048, 2049]))
    np.testing.assert_allclose(found, [0.0, 1.0, 1.0, 0.0], atol=1e-6)


def test_day_ahead_prices_count_from_noon_of_the_day_before_also_when_clocks_change() -> None:
    price, day_ahead = prices(40)
    table = MarketTable.of(price, day_ahead, QUARTER_S, ZONE)
    hours = table.index[:: table.per_hour].tz_convert(ZONE)
    for hour, known in zip(hours, table.known.known, strict=True):
        last = hour.normalize() + pd.DateOffset(days=2 if hour.hour >= 12 else 1)
        assert known == min(AHEAD_H, (last - hour).total_seconds() / 3600)


def test_a_later_day_ahead_price_is_not_seen_before_it_is_published() -> None:
    price, day_ahead = prices(20)
    wrong = day_ahead.copy()
    local = pd.DatetimeIndex(wrong.index).tz_convert(ZONE)
    wrong[local >= pd.Timestamp("2024-03-05", tz=ZONE)] = 9999.0
    noon = pd.Timestamp("2024-03-04T12:00", tz=ZONE)
    tables = [MarketTable.of(price, one, QUARTER_S, ZONE) for one in (day_ahead, wrong)]
    before = np.flatnonzero(tables[0].index < noon)
    right, other = (Inputs.of(table, STEPS).rows(before, np.zeros(len(before))) for table in tables)
    np.testing.assert_array_equal(right, other)
    at_noon = np.array([len(before)])
    right, other = (Inputs.of(table, STEPS).rows(at_noon, np.zeros(1)) for table in tables)
    assert not np.array_equal(right, other)


def test_a_row_off_the_cadence_is_named() -> None:
    price, _ = prices(2)
    odd = pd.concat((price, pd.Series([1.0], [price.index[5] + pd.Timedelta(minutes=1)]))).sort_index()
    with pytest.raises(BacktestError, match="2024-02-20T01:16:00"):
        MarketTable.of(odd, None, QUARTER_S, ZONE)


def test_a_cadence_that_does_not_divide_the_hour_is_an_error() -> None:
    price, _ = prices(2)
    with pytest.raises(BacktestError, match="420 s"):
        MarketTable.of(price, None, 420.0, ZONE)
