"""Synthetic prices hold what the definitions state."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import PriceModelError
from grid.price_noise import DayNoise
from grid.series import BaseSeries
from grid.synthetic import SITE_TZ, day_of, generate_day, generate_days, training_seeds
from grid.synthetic_prices import PRICE_COLUMNS, PriceModel, synthetic_prices, with_synthetic_prices

MODEL = PriceModel(p5_kw=0.0, p95_kw=100.0, ramp_kw=10.0)
DAY = date(2024, 6, 3)


def flat_days(level_kw: float, days: int, interval_s: float = 300.0) -> tuple[pd.Series, list[date]]:
    rows = round(days * 86_400 / interval_s)
    index = pd.date_range(pd.Timestamp(DAY, tz="UTC"), periods=rows, freq=pd.Timedelta(seconds=interval_s))
    return pd.Series(level_kw, index=index), [DAY + timedelta(days=k) for k in range(days)]


def prices(net_load: pd.Series, days: list[date], seed: int = 0, interval_s: float = 300.0) -> pd.DataFrame:
    return synthetic_prices(net_load, MODEL, days, interval_s=interval_s, site_tz="UTC", price_seed=seed)


def days_noise(interval_s: float, days: int = 400) -> list[DayNoise]:
    n = round(86_400 / interval_s)
    return [DayNoise.draw(0, DAY + timedelta(days=k), n, interval_s) for k in range(days)]


def test_the_model_is_fitted_from_training_rows_as_defined() -> None:
    net_load = generate_days(training_seeds(), 300.0).frame["net_load_kw"]
    model = PriceModel.fit(net_load)
    changes = [
        net_load[at] - net_load[at - pd.Timedelta(minutes=30)]
        for at in net_load.index
        if at - pd.Timedelta(minutes=30) in net_load.index
    ]
    assert (model.p5_kw, model.p95_kw) == tuple(np.percentile(net_load, [5, 95]))
    assert model.ramp_kw == pytest.approx(np.percentile(np.abs(changes), 97))


def test_a_model_without_scale_is_refused() -> None:
    for level in (5.0, np.nan):
        with pytest.raises(PriceModelError, match="give more training rows"):
            PriceModel.fit(flat_days(level, 1)[0])


def test_the_base_price_bends_where_net_load_is_high() -> None:
    np.testing.assert_allclose(
        MODEL.base_price(np.array([-10.0, 0.0, 85.0, 100.0])), [11.0, 14.0, 39.5, 14 + 30 + 90 * 0.15]
    )


def test_spike_odds_follow_level_and_upward_ramp() -> None:
    odds = MODEL.spike_odds(np.array([0.0, 100.0, 500.0, 0.0]), np.array([0.0, -50.0, 0.0, 17.0]))
    np.testing.assert_allclose(odds, 0.004 * np.array([0.4, 2.4, 0.4 + 2 * 1.3**3, 0.4 + 1.5]))


@pytest.mark.parametrize(("interval_s", "steps"), [(300.0, 1.0), (900.0, 3.0), (1800.0, 6.0)])
def test_noise_is_stationary_with_rho_to_the_power_of_the_interval(interval_s: float, steps: float) -> None:
    noise = days_noise(interval_s)
    for name, rho in (("da", 0.98), ("rt", 0.92)):
        values = np.array([getattr(day, name) for day in noise])
        assert values.std() == pytest.approx(1.0, rel=0.1)
        assert values[:, 0].std() == pytest.approx(1.0, rel=0.15)
        step = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
        assert step == pytest.approx(rho**steps, abs=0.03)


def test_day_ahead_carries_an_error_of_three_percent_of_the_mean() -> None:
    net_load, days = flat_days(50.0, 300)
    day_ahead = prices(net_load, days)["da_price_usd_per_mwh"]
    assert day_ahead.mean() == pytest.approx(14.0 + 15.0, abs=0.15)
    assert day_ahead.std() == pytest.approx(30.0 * 0.03 * 50.0 / 100.0, rel=0.1)


def test_day_ahead_rests_on_hourly_means() -> None:
    net_load, days = flat_days(50.0, 1)
    waves = net_load + 10.0 * np.tile([1.0, -1.0], len(net_load) // 2)
    pd.testing.assert_series_equal(
        prices(waves, days)["da_price_usd_per_mwh"], prices(net_load, days)["da_price_usd_per_mwh"]
    )


def test_real_time_noise_has_a_deviation_of_seven_between_spikes() -> None:
    net_load, days = flat_days(0.0, 200)
    real_time = prices(net_load, days)["price_usd_per_mwh"]
    calm = real_time[real_time < 45.0]
    assert calm.mean() == pytest.approx(14.0, abs=0.5)
    assert calm.std() == pytest.approx(7.0, rel=0.1)


def test_real_time_rises_with_an_upward_ramp_and_not_with_a_downward_one() -> None:
    noise = prices(*flat_days(50.0, 1))["price_usd_per_mwh"]
    net_load, days = flat_days(50.0, 1)
    for step_kw, added in ((10.0, 3.0 + 12.5), (-10.0, -3.0)):
        stepped = net_load + np.where(np.arange(len(net_load)) >= 100, step_kw, 0.0)
        difference = (prices(stepped, days)["price_usd_per_mwh"] - noise).iloc[100:106]
        assert difference.median() == pytest.approx(added)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000), odds=st.floats(0.0, 0.3), interval_s=st.sampled_from([300.0, 600.0, 1800.0])
)
def test_spikes_never_overlap_and_last_as_drawn(seed: int, odds: float, interval_s: float) -> None:
    n = round(86_400 / interval_s)
    noise = DayNoise.draw(seed, DAY, n, interval_s)
    added = noise.spikes_usd(np.full(n, odds))
    row = 0
    while row < n:
        if noise.spike_draw[row] < odds * noise.steps:
            lasts = int(noise.spike_rows[row])
            assert (added[row : row + lasts] == noise.spike_usd[row]).all()
            row += lasts
        else:
            assert added[row] == 0.0
            row += 1


def test_spike_sizes_and_durations_are_as_defined() -> None:
    rows = np.concatenate([day.spike_rows for day in days_noise(300.0, 60)])
    assert {int(value) for value in rows} == {1, 2, 3, 4, 6}
    assert {int(v) for day in days_noise(1800.0, 10) for v in day.spike_rows} == {1}
    assert {int(v) for day in days_noise(900.0, 60) for v in day.spike_rows} == {1, 2}
    usd = np.concatenate([day.spike_usd for day in days_noise(300.0, 60)])
    assert usd.max() == 900.0
    assert np.median(usd) == pytest.approx(130.0, rel=0.05)


def test_the_price_seed_and_the_date_alone_make_the_noise() -> None:
    net_load, days = flat_days(50.0, 2)
    pd.testing.assert_frame_equal(prices(net_load, days), prices(net_load, days), check_exact=True)
    other = prices(net_load, days, seed=1)
    assert not other.equals(prices(net_load, days))
    first, second = (prices(net_load, [day]).to_numpy() for day in days)
    assert not np.array_equal(first, second)


def test_several_days_together_are_priced_as_each_alone() -> None:
    net_load = generate_days(range(100, 104), 300.0).frame["net_load_kw"]
    days = [day_of(seed) for seed in range(100, 104)]
    price = {"model": MODEL, "interval_s": 300.0, "site_tz": SITE_TZ}
    together = synthetic_prices(net_load, days=days, **price)  # type: ignore[arg-type]
    alone = [synthetic_prices(net_load, days=[day], **price) for day in sorted(days)]  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(together, pd.concat(alone), check_exact=True)


def test_prices_of_a_day_do_not_depend_on_what_follows_it() -> None:
    net_load, days = flat_days(50.0, 2)
    later = net_load.where(net_load.index < pd.Timestamp(days[1], tz="UTC"), 90.0)
    pd.testing.assert_frame_equal(prices(net_load, days[:1]), prices(later, days[:1]), check_exact=True)


def test_the_first_change_of_a_day_uses_the_day_before_where_it_is_there() -> None:
    net_load, days = flat_days(50.0, 2)
    risen = net_load.where(net_load.index < pd.Timestamp(days[1], tz="UTC"), 60.0)
    alone = risen[risen.index >= pd.Timestamp(days[1], tz="UTC")]
    difference = prices(risen, days[1:]) - prices(alone, days[1:])
    assert difference["price_usd_per_mwh"].iloc[:6].median() == pytest.approx(12.5)
    assert (difference["price_usd_per_mwh"].iloc[18:] == 0.0).all()


def test_a_missing_net_load_has_no_price_and_disturbs_no_other_row_but_its_hour() -> None:
    net_load, days = flat_days(50.0, 1)
    holed = net_load.copy()
    holed.iloc[30] = np.nan
    gap = prices(holed, days)
    assert gap.iloc[30].isna().all()
    assert gap.drop(gap.index[30]).notna().all(axis=None)
    full = prices(net_load, days)
    pd.testing.assert_frame_equal(gap.drop(gap.index[30]), full.drop(full.index[30]))
    dropped = prices(holed.dropna(), days)
    pd.testing.assert_frame_equal(dropped, gap.dropna())


@pytest.mark.parametrize("day", [date(2024, 3, 10), date(2024, 11, 3)])
def test_days_of_23_and_25_hours_are_priced_whole(day: date) -> None:
    index = pd.date_range("2024-03-01", "2024-11-30", freq="15min", tz="UTC")
    net_load = pd.Series(50.0, index=index)
    priced = synthetic_prices(net_load, MODEL, [day], interval_s=900.0, site_tz=SITE_TZ)
    assert len(priced) == (92 if day.month == 3 else 100)
    assert priced.notna().all(axis=None)


def test_every_pulse_carries_the_prices_of_its_own_interval() -> None:
    base = generate_day(1000)
    model = PriceModel.fit(generate_days(training_seeds(), 300.0).frame["net_load_kw"])
    priced = with_synthetic_prices(base, model, site_tz=SITE_TZ)
    assert priced.price_source == "synthetic"
    by_interval = priced.frame[PRICE_COLUMNS].groupby(np.arange(17_280) // 60).nunique()
    assert (by_interval == 1).all(axis=None)
    coarse = with_synthetic_prices(generate_day(1000, 300.0), model, site_tz=SITE_TZ)
    np.testing.assert_allclose(priced.frame[PRICE_COLUMNS].iloc[::60], coarse.frame[PRICE_COLUMNS], rtol=1e-9)
    pd.testing.assert_frame_equal(priced.frame[base.frame.columns.tolist()], base.frame)


def test_days_without_rows_have_no_prices() -> None:
    net_load, _ = flat_days(50.0, 1)
    assert prices(net_load, []).empty
    assert prices(net_load, [date(2030, 1, 1)]).empty
    assert with_synthetic_prices(BaseSeries(net_load.to_frame("net_load_kw"), 300.0), MODEL, site_tz="UTC")
