import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.horizon import FINE_S, grid_of, outlook_of
from policies.view import ForecastView, GridView

STEP = timedelta(minutes=5)
HALF_HOUR = 6
"""Intervals of five minutes."""


def ending_in(view: GridView, seconds: float, interval_s: float) -> GridView:
    return replace(view, interval_s=interval_s, day_end=view.now + timedelta(seconds=seconds))


# -- how the time ahead is cut --------------------------------------------------------------------


@given(st.integers(1, 100_000), st.sampled_from([300.0, 360.0, 600.0, 900.0, 1800.0]))
def test_fine_steps_and_half_hours_add_up_to_the_days_end_and_the_half_hour_after_it(
    calm: GridView, left_s: int, interval_s: float
) -> None:
    grid = grid_of(ending_in(calm, left_s, interval_s))
    day_s = math.ceil(left_s / interval_s) * interval_s
    seconds = grid.hours * 3600
    assert seconds.sum() == pytest.approx(day_s + 1800)
    assert seconds[: grid.steps - grid.idle].sum() == pytest.approx(day_s)
    assert np.all(seconds[: grid.fine] == interval_s)
    assert np.all(seconds[grid.fine :] == 1800)


@given(st.integers(1, 100_000), st.sampled_from([300.0, 900.0, 1800.0]))
def test_the_next_two_and_a_half_hours_are_planned_interval_by_interval(
    calm: GridView, left_s: int, interval_s: float
) -> None:
    grid = grid_of(ending_in(calm, left_s, interval_s))
    assert grid.fine * interval_s >= min(left_s, FINE_S)
    assert grid.fine * interval_s <= FINE_S + 2 * 1800


def test_without_an_end_of_the_day_twelve_hours_are_planned_and_none_of_them_idle(calm: GridView) -> None:
    grid = grid_of(replace(calm, day_end=None))
    assert grid.hours.sum() == pytest.approx(12)
    assert grid.idle == 0


def test_intervals_that_do_not_divide_half_an_hour_have_no_ramps_to_expect(calm: GridView) -> None:
    view = replace(ending_in(calm, 6 * 3600, 3600.0), native_kw=(1.0, 2.0), metered_kw=(1.0, 2.0))
    outlook = outlook_of(view)
    assert outlook.grid.hours.tolist() == [1.0] * 6
    assert np.isnan(outlook.change_kw).all()
    assert not outlook.above_kw.any()
    assert not outlook.below_kw.any()


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_day_of_a_clock_change_is_as_long_as_it_is(
    calm: GridView, day: tuple[int, int, int], hours: int
) -> None:
    zone = ZoneInfo("Europe/Luxembourg")
    midnight = datetime(*day, tzinfo=zone)
    view = replace(calm, now=midnight.astimezone(UTC), day_end=midnight + timedelta(days=1))
    grid = grid_of(view)
    assert grid.hours[: grid.steps - grid.idle].sum() == pytest.approx(hours)


# -- net load -------------------------------------------------------------------------------------


def test_the_forecast_is_met_in_thirty_minutes(calm: GridView) -> None:
    change_kw = outlook_of(with_forecast(calm, -50.0, 600.0, 900.0)).change_kw
    assert change_kw[:HALF_HOUR].tolist() == pytest.approx([100, 200, 300, 400, 500, 600])
    assert change_kw[2 * HALF_HOUR - 1] == pytest.approx(0)


def test_the_change_counts_from_what_was_measured_thirty_minutes_before(calm: GridView) -> None:
    rising = tuple(9_000.0 + 100 * k for k in range(7))
    change_kw = outlook_of(replace(calm, native_kw=rising, forecast=None)).change_kw
    assert change_kw[:HALF_HOUR].tolist() == pytest.approx([500, 400, 300, 200, 100, 0])


def test_a_missing_newest_net_load_gives_no_made_up_level(calm: GridView) -> None:
    view = replace(calm, native_kw=(*calm.native_kw[:-1], None), outlook_kw=(9_000.0,) * 80)
    assert np.isnan(outlook_of(view).change_kw).all()
    assert np.isnan(outlook_of(replace(calm, native_kw=())).change_kw).all()


def test_a_gap_half_an_hour_ago_hides_the_change_against_it_alone(calm: GridView) -> None:
    gap = (*calm.native_kw[:2], None, *calm.native_kw[3:])
    unknown = np.isnan(outlook_of(replace(calm, native_kw=gap)).change_kw)
    assert np.flatnonzero(unknown).tolist() == [1]


def test_a_short_history_is_a_gap_and_not_zero(calm: GridView) -> None:
    change_kw = outlook_of(replace(calm, native_kw=(10_000.0,) * 2)).change_kw
    assert np.isnan(change_kw[:4]).all()
    assert change_kw[4:6].tolist() == [0.0, 0.0]


def test_net_load_follows_the_outlooks_shape_and_comes_back_to_its_level(calm: GridView) -> None:
    view = replace(calm, forecast=None, outlook_kw=(9_000.0,) * 200)
    change_kw = outlook_of(view).change_kw
    level_kw = [9_000 + 1_000 * 0.8 ** (k / 12) for k in range(1, 13)]
    assert change_kw[:HALF_HOUR] == pytest.approx(np.array(level_kw[:6]) - 10_000)
    assert change_kw[HALF_HOUR : 2 * HALF_HOUR] == pytest.approx(np.array(level_kw[6:]) - level_kw[:6])
    ramp = tuple(5_000.0 + 10 * k for k in range(200))
    near = outlook_of(replace(view, outlook_kw=ramp)).change_kw[0]
    assert near == pytest.approx(10 + 5_000 * (0.8 ** (1 / 12) - 1), abs=1e-6)


def test_half_hours_expect_the_change_of_their_means(calm: GridView) -> None:
    rising = tuple(10_000.0 + 10 * k for k in range(200))
    outlook = outlook_of(replace(calm, forecast=None, outlook_kw=rising))
    assert outlook.grid.coarse > 1
    assert outlook.change_kw[outlook.grid.fine :] == pytest.approx(np.full(outlook.grid.coarse, 60.0))


def test_what_the_forecast_adds_to_the_outlook_fades_after_it(calm: GridView) -> None:
    view = replace(with_forecast(calm, 500.0, 600.0, 700.0), outlook_kw=(10_000.0,) * 200)
    change_kw = outlook_of(view).change_kw
    assert change_kw[2 * HALF_HOUR - 1] == pytest.approx(600 * (0.8**0.5 - 1))


def test_the_forecast_outranks_the_outlook_in_the_first_half_hour(calm: GridView) -> None:
    steep = tuple(5_000.0 + 500 * k for k in range(200))
    view = replace(with_forecast(calm, -50.0, 600.0, 900.0), outlook_kw=steep)
    assert outlook_of(view).change_kw[HALF_HOUR - 1] == pytest.approx(600)


def test_a_gap_in_the_outlook_holds_what_was_before_it_and_none_at_all_is_no_outlook(calm: GridView) -> None:
    held = replace(calm, outlook_kw=(9_000.0,) * 3)
    gaps = replace(calm, outlook_kw=(None, 9_000.0, None, *[9_000.0] * 97))
    assert outlook_of(gaps).change_kw.tolist() == outlook_of(held).change_kw.tolist()
    missing = replace(calm, outlook_kw=(None, None))
    assert outlook_of(missing).change_kw.tolist() == outlook_of(calm).change_kw.tolist()


# -- the band -------------------------------------------------------------------------------------


def test_the_band_opens_over_thirty_minutes_and_keeps_its_two_sides(calm: GridView) -> None:
    outlook = outlook_of(with_forecast(calm, -100.0, 200.0, 800.0))
    opened = np.minimum(1.0, np.arange(1, outlook.grid.steps + 1) / HALF_HOUR) ** 0.7
    assert outlook.below_kw == pytest.approx(300 * opened)
    assert outlook.above_kw == pytest.approx(600 * opened)


def test_quantiles_that_cross_make_no_negative_band(calm: GridView) -> None:
    outlook = outlook_of(with_forecast(calm, 300.0, 200.0, 100.0))
    assert not outlook.below_kw.any()
    assert not outlook.above_kw.any()


# -- prices ---------------------------------------------------------------------------------------


def test_the_known_price_comes_first_and_fades_to_the_day_ahead_one(calm: GridView) -> None:
    price = outlook_of(replace(calm, price_usd_per_mwh=140.0)).price_usd_per_mwh
    assert price[:3] == pytest.approx([140, 40 + 85, 40 + 72.25])
    assert price[30] == pytest.approx(40, abs=1)


def test_the_price_fades_by_time_and_not_by_step(calm: GridView) -> None:
    view = replace(ending_in(calm, 6 * 3600, 900.0), price_usd_per_mwh=140.0)
    quarter_hourly = outlook_of(view).price_usd_per_mwh
    five_minutely = outlook_of(replace(calm, price_usd_per_mwh=140.0)).price_usd_per_mwh
    assert quarter_hourly[:4] == pytest.approx(five_minutely[:12:3])


def test_half_hours_have_their_mean_price(calm: GridView) -> None:
    ahead = tuple((calm.now + k * STEP, float(k)) for k in range(72))
    outlook = outlook_of(replace(calm, prices_ahead=ahead, price_usd_per_mwh=0.0))
    last_fine = outlook.grid.fine
    expected = np.arange(last_fine, last_fine + HALF_HOUR).mean()
    assert outlook.price_usd_per_mwh[last_fine] == pytest.approx(expected)


def test_a_missing_day_ahead_price_holds_the_one_before_it(calm: GridView) -> None:
    ahead = ((calm.now, 40.0), (calm.now + 4 * STEP, 60.0))
    price = outlook_of(replace(calm, prices_ahead=ahead)).price_usd_per_mwh
    assert price[:6] == pytest.approx([40, 40, 40, 40, 60, 60])
    assert price[-1] == pytest.approx(60)


def test_before_the_first_day_ahead_price_the_days_mean_counts(calm: GridView) -> None:
    ahead = ((calm.now + 2 * STEP, 60.0),)
    view = replace(calm, prices_ahead=ahead, settlement_price_usd_per_mwh=50.0, price_usd_per_mwh=None)
    assert outlook_of(view).price_usd_per_mwh[:3] == pytest.approx([50, 50, 60])


def test_without_day_ahead_prices_the_days_mean_is_expected(calm: GridView) -> None:
    view = replace(calm, prices_ahead=(), settlement_price_usd_per_mwh=50.0, price_usd_per_mwh=150.0)
    price = outlook_of(view).price_usd_per_mwh
    assert price[:2] == pytest.approx([150, 50 + 85])
    assert price[-1] == pytest.approx(50, abs=0.1)


def test_without_any_other_price_the_current_one_is_expected_to_stay(calm: GridView) -> None:
    view = replace(calm, prices_ahead=(), settlement_price_usd_per_mwh=None, price_usd_per_mwh=150.0)
    outlook = outlook_of(view)
    assert outlook.price_usd_per_mwh == pytest.approx(np.full(outlook.grid.steps, 150.0))
    assert outlook.settlement_usd_per_mwh == pytest.approx(150)


def test_without_any_price_energy_carries_no_money_as_in_the_accounts(calm: GridView) -> None:
    view = replace(calm, prices_ahead=(), settlement_price_usd_per_mwh=None, price_usd_per_mwh=None)
    outlook = outlook_of(view)
    assert not outlook.price_usd_per_mwh.any()
    assert outlook.settlement_usd_per_mwh == 0


def test_missing_energy_is_never_settled_at_a_negative_price(calm: GridView) -> None:
    assert outlook_of(replace(calm, settlement_price_usd_per_mwh=-20.0)).settlement_usd_per_mwh == 0
    assert outlook_of(replace(calm, settlement_price_usd_per_mwh=55.0)).settlement_usd_per_mwh == 55


def with_forecast(view: GridView, p10_kw: float, p50_kw: float, p90_kw: float) -> GridView:
    return replace(view, forecast=ForecastView(view.now - STEP, p10_kw, p50_kw, p90_kw))


# -- an outlook that starts from what was measured ------------------------------------------------


def measured(view: GridView, sigma_kw: float, rise_kw: float = 0.0) -> GridView:
    """An outlook of known error: it rises evenly by ``rise_kw`` in each half hour."""
    outlook = tuple(10_000.0 + rise_kw / HALF_HOUR * k for k in range(200))
    return replace(view, outlook_kw=outlook, outlook_sigma_kw=(sigma_kw,) * 199)


def test_an_outlook_of_known_error_says_how_wide_the_band_is(calm: GridView) -> None:
    outlook = outlook_of(measured(replace(calm, forecast=None), 200.0))
    assert outlook.above_kw == pytest.approx(np.full(outlook.grid.steps, 1.2816 * 200.0))
    assert outlook.below_kw.tolist() == outlook.above_kw.tolist()


@pytest.mark.parametrize(
    ("forecast_sigma_kw", "change_kw"), [(1e-6, 600.0), (200.0, 450.0), (4_000.0, 300.0)]
)
def test_forecast_and_outlook_count_by_how_wrong_they_usually_are(
    calm: GridView, forecast_sigma_kw: float, change_kw: float
) -> None:
    half_kw = 1.2816 * forecast_sigma_kw
    view = measured(with_forecast(calm, 600.0 - half_kw, 600.0, 600.0 + half_kw), 200.0, rise_kw=300.0)
    assert outlook_of(view).change_kw[HALF_HOUR - 1] == pytest.approx(change_kw, abs=1)


def test_a_better_forecast_narrows_the_first_half_hour_alone(calm: GridView) -> None:
    view = measured(with_forecast(calm, -50.0, 0.0, 50.0), 200.0)
    above_kw = outlook_of(view).above_kw
    assert above_kw[0] == pytest.approx(50.0, rel=0.05)
    assert above_kw[HALF_HOUR] == pytest.approx(1.2816 * 200.0)
    worse = outlook_of(measured(with_forecast(calm, -9_000.0, 0.0, 9_000.0), 200.0)).above_kw
    assert worse.max() <= 1.2816 * 200.0 + 1e-6


def test_expected_prices_are_taken_as_they_are_and_the_first_is_the_known_one(calm: GridView) -> None:
    view = replace(calm, expected_usd_per_mwh=(1.0, 55.0, None, 57.0), price_usd_per_mwh=140.0)
    price = outlook_of(view).price_usd_per_mwh
    without = outlook_of(replace(calm, price_usd_per_mwh=140.0)).price_usd_per_mwh
    assert price[:4].tolist() == [140.0, 55.0, without[2], 57.0]
    assert price[4:].tolist() == without[4:].tolist()
