"""The linear stage: weights by time of day, outliers at arm's length, missing inputs harmless."""

import numpy as np
import pytest

from pipeline.forecasting.linear import fit_linear

ROWS = 6000


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    rows, day_part = rng.normal(0.0, 1.0, (ROWS, 3)), rng.random(ROWS)
    slope = np.sin(2 * np.pi * day_part)
    return rows, slope * rows[:, 0] + 0.5 * rows[:, 1], day_part


def test_the_weights_follow_the_time_of_day(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rows, target, day_part = data
    stage = fit_linear(rows, target, day_part, np.array([0, 1, 2]))
    assert np.abs(target - stage.predict(rows, day_part)).mean() < 0.25
    common = np.abs(target - rows @ np.linalg.lstsq(rows, target)[0]).mean()
    assert common > 0.4


def test_a_few_wild_targets_do_not_turn_the_line(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rows, target, day_part = data
    wild = target.copy()
    wild[::50] += 100.0
    stage = fit_linear(rows, wild, day_part, np.array([0, 1, 2]))
    plain = fit_linear(rows, wild, day_part, np.array([0, 1, 2]), rounds=1)
    assert np.abs(target - stage.predict(rows, day_part)).mean() < 0.25
    assert np.abs(target - plain.predict(rows, day_part)).mean() > 1.0


def test_a_rows_value_does_not_depend_on_its_batch(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rows, target, day_part = data
    stage = fit_linear(rows, target, day_part, np.array([2, 0]))
    whole = stage.predict(rows, day_part)
    for at in (slice(0, 1), slice(7, 24), slice(100, 1001)):
        np.testing.assert_array_equal(stage.predict(rows[at], day_part[at]), whole[at])


def test_the_contributions_sum_to_the_value(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rows, target, day_part = data
    rows[::9, 1] = np.nan
    stage = fit_linear(rows, target, day_part, np.array([0, 1, 2]))
    found = stage.contributions(rows, day_part)
    np.testing.assert_allclose(found.sum(axis=1), stage.predict(rows, day_part), atol=1e-12)
    assert not found[::9, 1].any()
