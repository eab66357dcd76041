"""Rolling bands: they hold what they promise, learn from yesterday at the earliest, and mind ramps."""

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.forecasting.bands import WINDOW_US, RollingBands
from pipeline.forecasting.memory import DAY_US

QUARTER_US = 900_000_000


def walked(
    change: np.ndarray, median: np.ndarray, spread: np.ndarray, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
) -> np.ndarray:
    """Bands of forecasts a quarter of an hour apart, each day by what was known before it."""
    bands, found = RollingBands(quantiles), []
    for begin in range(0, len(change), 96):
        bands.begin_day(begin // 96)
        day = slice(begin, begin + 96)
        found.append(bands.bands(median[day], spread[day]))
        for at in range(begin, min(begin + 96, len(change))):
            bands.record(at * QUARTER_US, change_kw=change[at], median_kw=median[at], spread_kw=spread[at])
    return np.concatenate(found)


def inside(change: np.ndarray, band: np.ndarray) -> np.ndarray:
    return (change >= band[:, 0]) & (change <= band[:, -1])


def test_the_band_holds_four_fifths_even_when_the_spread_is_wrong_and_the_error_skewed() -> None:
    rng = np.random.default_rng(2)
    median = rng.normal(0.0, 50.0, 96 * 90)
    change = median + 7.0 * (rng.gamma(2.0, 1.0, len(median)) - 1.0)
    band = walked(change, median, np.ones(len(median)))
    late = slice(96 * 30, None)
    assert inside(change, band)[late].mean() == pytest.approx(0.8, abs=0.015)
    assert (change < band[:, 0])[late].mean() == pytest.approx(0.1, abs=0.015)


def test_ramps_that_come_out_of_risky_forecasts_are_held_where_one_width_for_all_would_lose_them() -> None:
    rng = np.random.default_rng(4)
    rows = 96 * 90
    spread = np.where(rng.random(rows) < 0.15, 40.0, 10.0)
    change = rng.standard_t(3, rows) * spread
    band = walked(change, np.zeros(rows), spread)
    late = np.arange(rows) >= 96 * 30
    top = late & (np.abs(change) > np.quantile(np.abs(change[late]), 0.99))
    assert inside(change, band)[top].mean() >= 0.6
    assert inside(change, band)[late].mean() == pytest.approx(0.8, abs=0.02)
    plain = np.quantile(change[late] / spread[late], [0.1, 0.9]) * spread[:, None]
    assert inside(change, plain)[top].mean() < 0.2


def test_a_days_band_rests_on_targets_that_came_before_it() -> None:
    rng = np.random.default_rng(6)
    change = rng.normal(0.0, 10.0, 96 * 20)
    zero, one = np.zeros(len(change)), np.ones(len(change))
    whole = walked(change, zero, one)
    spoiled = change.copy()
    spoiled[96 * 10 :] = 1e6
    np.testing.assert_array_equal(walked(spoiled, zero, one)[: 96 * 11], whole[: 96 * 11])
    assert (walked(spoiled, zero, one)[96 * 11 :] != whole[96 * 11 :]).any()


def test_a_target_on_the_stroke_of_midnight_or_after_waits_for_the_next_day() -> None:
    def first_band(known_us: int) -> float:
        bands = RollingBands((0.1, 0.9))
        for place in range(40):
            bands.record(known_us + place * QUARTER_US, change_kw=9.0 * place, median_kw=0.0, spread_kw=1.0)
        bands.begin_day(1)
        return float(bands.bands(np.zeros(1), np.ones(1))[0, 1])

    assert first_band(DAY_US) == pytest.approx(1.25 * 1.2816, abs=1e-3)  # nothing known yet
    assert first_band(DAY_US - 40 * QUARTER_US) > 100.0


def test_what_is_older_than_the_window_is_forgotten() -> None:
    bands = RollingBands((0.1, 0.9))
    for place in range(1000):
        bands.record(place * QUARTER_US, change_kw=1e6, median_kw=0.0, spread_kw=1.0)
    bands.begin_day(10 + (1000 * QUARTER_US + WINDOW_US) // DAY_US)
    assert len(bands) == 0


def test_any_quantiles_come_in_order_and_the_median_stays() -> None:
    rng = np.random.default_rng(8)
    change = rng.normal(3.0, 10.0, 96 * 40)
    wanted = (0.025, 0.1, 0.4, 0.5, 0.75, 0.975)
    band = walked(change, np.zeros(len(change)), np.ones(len(change)), wanted)
    assert (np.diff(band, axis=1) >= 0).all()
    late = band[96 * 30 :]
    assert (late == 0.0).any(axis=1).all()
    assert (change[96 * 30 :] < late[:, 0]).mean() == pytest.approx(0.025, abs=0.012)


@pytest.mark.parametrize("quantiles", [(), (0.5, 0.1), (0.0, 0.5), (0.5, 0.5), (0.9, 1.0)])
def test_quantiles_out_of_order_or_range_are_an_error(quantiles: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="quantiles"):
        RollingBands(quantiles)


def test_a_risky_forecast_is_widened_the_way_it_goes_and_an_undecided_one_both_ways() -> None:
    rng = np.random.default_rng(9)
    rows = 96 * 90
    spread = np.where(rng.random(rows) < 0.15, 40.0, 10.0)
    direction = rng.choice([-1.0, 0.0, 1.0], rows)
    median = direction * spread
    onward = np.where(direction == 0.0, rng.choice([-1.0, 1.0], rows), direction)
    change = median + spread * (rng.normal(0.0, 1.0, rows) + onward * rng.exponential(2.0, rows))
    band = walked(change, median, spread)
    late = (np.arange(rows) >= 96 * 30) & (spread > 20.0)
    below, above = change < band[:, 0], change > band[:, 2]
    for which, far, near in ((1.0, above, below), (-1.0, below, above)):
        of = late & (direction == which)
        assert far[of].mean() < 0.05
        assert 0.03 < near[of].mean() < 0.15  # as the others: what goes the other way is no ramp
    undecided = late & (direction == 0.0)
    assert below[undecided].mean() < 0.05
    assert above[undecided].mean() < 0.05
    assert inside(change, band)[96 * 30 :].mean() == pytest.approx(0.8, abs=0.03)
