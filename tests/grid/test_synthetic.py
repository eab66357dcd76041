"""The seeded generator: reproducible, physical, and calibrated as the definitions say."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from grid.clear_sky import clear_sky_output
from grid.errors import GeneratorError
from grid.instability_shapes import Disturbance, draw_disturbances
from grid.intervals import change_30min, interval_means
from grid.synthetic import (
    SITE_TZ,
    SOLAR_RATED_KW,
    WIND_RATED_KW,
    day_of,
    generate_day,
    generate_days,
    training_seeds,
)
from grid.weather import clearness, wander, wind_output

JUDGED_SEEDS = range(1000, 1020)


def shares_of_p99(seeds: range) -> dict[str, float]:
    net_load = generate_days(seeds, 300.0).frame["net_load_kw"]
    p99 = float(np.percentile(net_load, 99.0))
    p50_change, p90_change, p99_change = (
        np.percentile(change_30min(net_load).abs().dropna(), [50, 90, 99]) / p99
    )
    return {
        "p99_kw": p99,
        "mean": float(net_load.mean()) / p99,
        "p50": float(p50_change),
        "p90": float(p90_change),
        "p99": float(p99_change),
    }


def test_the_training_days_are_calibrated_as_the_definitions_say() -> None:
    shares = shares_of_p99(training_seeds())
    assert 0.55 <= shares["mean"] <= 0.65
    assert 0.025 <= shares["p50"] <= 0.037
    assert 0.07 <= shares["p90"] <= 0.095
    assert 0.13 <= shares["p99"] <= 0.17
    assert 80_000.0 < shares["p99_kw"] < 120_000.0


def test_the_judged_days_are_of_the_same_population_as_the_training_days() -> None:
    training, judged = shares_of_p99(training_seeds()), shares_of_p99(JUDGED_SEEDS)
    for name, value in training.items():
        assert judged[name] == pytest.approx(value, rel=0.15), name


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_day() -> None:
    once, again = generate_day(7), generate_day(7)
    pd.testing.assert_frame_equal(once.frame, again.frame, check_exact=True)
    assert not np.array_equal(once.frame["load_kw"], generate_day(8).frame["load_kw"])


@pytest.mark.parametrize("cadence_s", [15.0, 60.0, 300.0, 900.0, 1800.0])
def test_any_cadence_is_the_mean_of_the_finer_grid(cadence_s: float) -> None:
    fine, coarse = generate_day(1003).frame, generate_day(1003, cadence_s).frame
    means = fine.resample(pd.Timedelta(seconds=cadence_s)).mean()
    assert len(coarse) == 86_400 / cadence_s
    assert coarse.index.to_list() == means.index.to_list()
    np.testing.assert_allclose(coarse.to_numpy(), means.to_numpy(), rtol=1e-9, atol=1e-6)


def test_a_day_is_one_whole_local_day_of_the_seed_with_net_load_from_its_parts() -> None:
    series = generate_day(1000)
    frame = series.frame
    local = pd.DatetimeIndex(frame.index).tz_convert(SITE_TZ)
    assert {moment.date() for moment in local} == {day_of(1000)}
    assert local[0] == pd.Timestamp(day_of(1000), tz=SITE_TZ)
    assert len(frame) == 17_280
    assert frame.index.name == "ts_utc"
    assert str(pd.DatetimeIndex(frame.index).tz) == "UTC"
    assert series.price_source == "none"
    pd.testing.assert_series_equal(
        frame["net_load_kw"], frame["load_kw"] - frame["solar_kw"] - frame["wind_kw"], check_names=False
    )
    assert not frame.isna().any(axis=None)


def test_load_solar_and_wind_stay_within_what_is_physical() -> None:
    frame = generate_days(range(1000, 1010), 300.0).frame
    assert (frame["load_kw"] > 0).all()
    assert frame["solar_kw"].between(0.0, SOLAR_RATED_KW).all()
    assert frame["wind_kw"].between(0.0, WIND_RATED_KW).all()
    hour = pd.DatetimeIndex(frame.index).tz_convert(SITE_TZ).hour
    assert (frame["solar_kw"][(hour < 4) | (hour >= 21)] == 0.0).all()
    assert frame["solar_kw"][hour == 12].mean() > 10_000.0


def test_no_day_of_any_seed_has_a_change_of_daylight_saving_time() -> None:
    zone = ZoneInfo(SITE_TZ)
    for seed in [*range(0, 400), *range(1000, 1020), 123_456_789]:
        midnight = pd.Timestamp(day_of(seed), tz=zone)
        after = pd.Timestamp(day_of(seed) + timedelta(days=1), tz=zone)
        assert (after - midnight).total_seconds() == 86_400


def test_training_and_judged_seeds_all_have_dates_of_their_own_and_training_comes_first() -> None:
    training, judged = [day_of(s) for s in training_seeds()], [day_of(s) for s in JUDGED_SEEDS]
    assert len(training) == 30
    assert len({*training, *judged}) == 50
    assert max(training) < min(judged)
    assert len({day.weekday() for day in training}) == 7


def test_days_come_as_one_sorted_series_without_invented_rows() -> None:
    days = generate_days([3, 1, 2], 1800.0)
    assert days.frame.index.is_monotonic_increasing
    assert days.frame.index.is_unique
    assert len(days.frame) == 3 * 48


@pytest.mark.parametrize("cadence_s", [0.0, -5.0, 7.0, 2.5, 86_405.0])
def test_a_cadence_that_does_not_fit_is_refused_with_its_value(cadence_s: float) -> None:
    with pytest.raises(GeneratorError, match=f"cadence_s: {cadence_s} does not fit; give"):
        generate_day(1, cadence_s)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(GeneratorError, match="seed: -1"):
        generate_day(-1)


def test_noise_is_autocorrelated_with_unit_deviation() -> None:
    noise = wander(np.random.default_rng(1), 200_000, memory_s=100.0, step_s=5.0)
    assert noise.std() == pytest.approx(1.0, rel=0.1)
    assert np.corrcoef(noise[:-20], noise[20:])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.08)


def test_clouds_and_wind_are_shares_that_vary_between_days() -> None:
    for make in (clearness, wind_output):
        days = [make(np.random.default_rng(seed), 288, 300.0) for seed in range(40)]
        assert all(((day > 0.0) & (day <= 1.0)).all() for day in days)
        assert np.std([day.mean() for day in days]) > 0.05


def test_clear_sky_rises_and_sets_around_local_noon() -> None:
    seconds = np.arange(0.0, 86_400.0, 300.0)
    output = clear_sky_output(pd.Timestamp("2021-06-21", tz=SITE_TZ), seconds)
    assert output[:48].max() == 0.0
    assert 0.85 < output.max() <= 1.0
    centre_h = float((output * seconds).sum() / output.sum()) / 3600.0
    assert centre_h == pytest.approx(13.05, abs=0.1)


def test_a_disturbance_is_zero_outside_and_at_its_depth_while_it_lasts() -> None:
    trip = Disturbance("wind_trip", 1000.0, 600.0, 5.0, 300.0, 0.5)
    moments = np.array([0.0, 1000.0, 1005.0, 1600.0, 1750.0, 1900.0, 5000.0])
    np.testing.assert_allclose(trip.shape(moments), [0.0, 0.0, 0.5, 0.5, 0.25, 0.0, 0.0])


def test_every_kind_of_disturbance_happens() -> None:
    days = [draw_disturbances(np.random.default_rng(seed)) for seed in range(60)]
    kinds = {disturbance.kind for day in days for disturbance in day}
    assert kinds == {"cloud_front", "wind_trip", "solar_trip", "load_step"}
    assert all([d.start_s for d in day] == sorted(d.start_s for d in day) for day in days)


def test_interval_means_leave_gaps_and_missing_values_as_they_are() -> None:
    series = generate_day(1000)
    frame = series.frame.copy()
    frame.loc[frame.index[:60], "net_load_kw"] = np.nan
    frame = frame.drop(frame.index[60:120])
    means = interval_means(type(series)(frame, 5.0))["net_load_kw"]
    assert np.isnan(means.iloc[0])
    assert len(means) == 287
    without_change = change_30min(means).isna().to_numpy()
    assert without_change[:7].all()
    assert not without_change[7:].any()


def test_slow_series_are_intervals_already() -> None:
    series = generate_day(1000, 900.0)
    assert interval_means(series) is series.frame
