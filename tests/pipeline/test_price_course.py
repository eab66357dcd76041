"""Prices to expect: day-ahead ones, what net load makes of them, and a known price that fades."""

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from pipeline.outlook import Outlook, fit_outlook
from pipeline.price_course import PriceCourse

TZ = "UTC"
QUARTERS = 96
USUAL_USD = 5.0
SPIKE_USD = 300.0


def series(days: int = 40, seed: int = 3, day_ahead: bool = True) -> BaseSeries:
    """Real-time prices: 0.01 a kW of net load, noise that fades by a fifth a step, short spikes.

    The day-ahead price knows the daily wave, not the day's own level.
    """
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-03-01", periods=days * QUARTERS, freq="15min", tz="UTC", name="ts_utc")
    wave = 4_000 + 1_500 * np.sin(np.arange(len(index)) / QUARTERS * 2 * np.pi)
    level = wave + np.repeat(rng.normal(0.0, 600.0, days), QUARTERS) + rng.normal(0.0, 20.0, len(index))
    noise = np.zeros(len(index))
    for k in range(1, len(index)):
        noise[k] = 0.8 * noise[k - 1] + rng.normal(0.0, 0.6 * USUAL_USD)
    spikes = np.where(rng.random(len(index)) < 0.01, SPIKE_USD, 0.0)
    frame = pd.DataFrame({"net_load_kw": level}, index=index)
    frame["price_usd_per_mwh"] = 0.01 * level + noise + spikes
    if day_ahead:
        frame["da_price_usd_per_mwh"] = 0.01 * wave
    return BaseSeries(frame, 900.0)


@pytest.fixture(scope="module")
def learnt() -> PriceCourse:
    return learn(series())


def learn(past: BaseSeries) -> PriceCourse:
    outlook = fit_outlook([past], site_tz=TZ)
    assert outlook.prices is not None
    return outlook.prices


FLAT_KW = np.full(18, 4_000.0)
FLAT_USD = np.full(16, 40.0)


def test_the_known_price_comes_first_and_its_distance_fades(learnt: PriceCourse) -> None:
    expected = learnt.expected_usd_per_mwh(50.0, FLAT_USD, FLAT_KW)
    assert expected[0] == 50.0
    assert expected[1] == pytest.approx(40.0 + 0.8 * 10.0, abs=3.0)
    assert expected[-1] == pytest.approx(40.0, abs=4.0)
    assert np.all(np.diff(expected) < 0.5)


def test_a_spike_is_not_expected_to_last(learnt: PriceCourse) -> None:
    calm, spike = (learnt.expected_usd_per_mwh(now, FLAT_USD, FLAT_KW) for now in (40.0, 40.0 + SPIKE_USD))
    assert spike[1] - calm[1] < 0.2 * SPIKE_USD


def test_more_net_load_than_the_day_ahead_price_knew_is_dearer(learnt: PriceCourse) -> None:
    usual, more = (learnt.expected_usd_per_mwh(None, FLAT_USD, FLAT_KW + extra) for extra in (0.0, 800.0))
    assert more[4:].mean() - usual[4:].mean() == pytest.approx(8.0, abs=3.0)


def test_without_a_day_ahead_price_it_is_what_net_load_usually_makes_of_it() -> None:
    learnt = learn(series(day_ahead=False))
    unknown = np.full(16, np.nan)
    for level_kw in (3_000.0, 5_000.0):
        expected = learnt.expected_usd_per_mwh(None, unknown, np.full(18, level_kw))
        assert expected[4:].mean() == pytest.approx(0.01 * level_kw, abs=6.0)


def test_the_quantiles_stray_to_both_sides_and_the_known_price_does_not(learnt: PriceCourse) -> None:
    strays = learnt.strays_usd_per_mwh(16)
    assert strays[0].tolist() == [0.0, 0.0, 0.0]
    assert np.all(strays[1:, 0] < strays[1:, 1])
    assert np.all(strays[1:, 1] < strays[1:, 2])
    assert strays[-1, 2] - strays[-1, 0] == pytest.approx(2 * 1.2816 * USUAL_USD, rel=0.3)


def test_without_prices_none_are_expected() -> None:
    past = series().frame[["net_load_kw"]]
    outlook: Outlook = fit_outlook([BaseSeries(past, 900.0)], site_tz=TZ)
    assert outlook.prices is None
