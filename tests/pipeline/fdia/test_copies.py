"""What copies the past is told from what only looks like it."""

import numpy as np

from pipeline.fdia.copies import match, run_length
from pipeline.fdia.layout import REPLAY_ROWS, Floats

LEVEL, RESOLUTION = np.array([100.0]), np.array([0.1])
NOW = np.array([[107.0, 103.0, 108.0, 101.0, 106.0, 102.0, 109.0, 104.0]])
BEFORE = np.roll(NOW, -1, axis=1)


def matched(then: Floats, *others: Floats, before: Floats = BEFORE) -> Floats:
    found = match(NOW, before, [then, *others], level_kw=LEVEL, resolution_kw=RESOLUTION)
    return np.asarray(found[0])


def test_an_exact_copy_matches_as_well_as_the_resolution_allows_over_every_length() -> None:
    np.testing.assert_allclose(matched(NOW.copy()), np.full(len(REPLAY_ROWS), -np.log(0.001)))


def test_a_match_over_some_rows_is_as_good_as_its_worst_row() -> None:
    then = NOW + np.array([[0.5, 0.0, 4.0, 0.0, 0.0, 20.0, 0.0, 0.0]])
    np.testing.assert_allclose(matched(then), -np.log([0.005, 0.005, 0.04, 0.2]))


def test_of_several_days_the_one_that_fits_best_counts_whatever_their_order() -> None:
    near, far = NOW + 1.0, NOW + 30.0
    for days in ((near, far), (far, near)):
        np.testing.assert_allclose(matched(*days), -np.log(np.full(4, 0.01)))


def test_the_sign_of_a_difference_does_not_matter_and_the_level_scales_it() -> None:
    np.testing.assert_allclose(matched(NOW - 2.0), matched(NOW + 2.0))
    twice = match(NOW, BEFORE, [NOW + 2.0], level_kw=2 * LEVEL, resolution_kw=RESOLUTION)[0]
    np.testing.assert_allclose(twice, matched(NOW + 1.0))


def test_rows_that_did_not_move_match_nothing() -> None:
    night = NOW.copy()
    night[0, 2] = BEFORE[0, 2]
    still = match(night, BEFORE, [night], level_kw=LEVEL, resolution_kw=RESOLUTION)[0]
    assert np.isnan(still).tolist() == [False, False, True, True]


def test_a_day_with_a_gap_gives_its_place_to_another_day() -> None:
    holed = NOW.copy()
    holed[0, 1] = np.nan
    assert np.isnan(matched(holed)).tolist() == [False, True, True, True]
    np.testing.assert_allclose(matched(holed, NOW + 1.0)[1:], -np.log(np.full(3, 0.01)))


def test_equal_values_count_where_the_day_before_moved_and_a_missing_one_leaves_the_count() -> None:
    repeats = np.array([3.0, 3.0, 3.0, 3.0])
    pulse = np.array([5.0, 5.0, 6.0, np.nan])
    past = np.array([[5.0, 7.0, 8.0], [5.0, 7.0, 7.0], [5.0, 7.0, 8.0], [5.0, 7.0, 8.0]])
    assert run_length(repeats, pulse, past).tolist() == [4.0, 0.0, 0.0, 3.0]
