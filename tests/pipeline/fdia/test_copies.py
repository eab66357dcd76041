"""What copies the past is told from what only looks like it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fdia.copies import match, rarest, repeat_rarity, repeats_of, run_length
from pipeline.fdia.layout import REPLAY_ROWS, Floats, Integers

LEVEL, RESOLUTION = np.array([100.0]), np.array([0.1])
DELAYS = np.arange(2, 7)
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


def repeated(values: Floats) -> Integers:
    """Row × delay: the counts after each row of a series."""
    runs = np.zeros((1, len(DELAYS)), dtype=np.int64)
    counts = []
    for row in range(int(DELAYS[-1]), len(values)):
        runs = repeats_of(runs, values[row - np.concatenate([[0, 1], DELAYS])][None])
        counts.append(runs[0])
    return np.array(counts)


@given(seed=st.integers(0, 9_999), delay=st.sampled_from(DELAYS.tolist()), start=st.integers(10, 40))
def test_a_signal_that_comes_late_repeats_as_many_rows_as_it_is_late(
    seed: int, delay: int, start: int
) -> None:
    true = np.random.default_rng(seed).normal(100.0, 5.0, 60)
    late = true.copy()
    late[start : start + 12] = true[start - delay : start - delay + 12]
    counts = repeated(late)
    assert counts[start - DELAYS[-1] + delay - 1, delay - DELAYS[0]] == delay
    assert counts.max() == delay
    assert not repeated(true).any()


def test_rows_that_did_not_move_and_missing_ones_neither_count_as_repeated_nor_end_the_count() -> None:
    lags = np.array(
        [[5.0, 5.0, 5.0], [5.0, 7.0, np.nan], [np.nan, 7.0, 5.0], [5.0, 7.0, 5.0], [5.0, 7.0, 6.0]]
    )
    assert repeats_of(np.full((5, 1), 3), lags).ravel().tolist() == [3, 3, 3, 4, 0]


def test_a_meter_that_repeats_itself_is_the_less_surprising_when_it_does() -> None:
    fine = np.random.default_rng(1).normal(100.0, 5.0, 5_000)
    often, never = repeat_rarity(np.round(fine / 5.0), DELAYS), repeat_rarity(fine, DELAYS)
    assert (often < 2.0).all()
    assert (never > 8.0).all()
    still = repeat_rarity(np.full(50, 1.0), DELAYS)
    np.testing.assert_allclose(still, np.log(2.0))


def test_of_repetitions_the_least_probable_counts_not_the_longest() -> None:
    rows, rarity = rarest(np.array([[4, 2], [0, 0]]), np.array([[1.0, 9.0], [1.0, 9.0]]))
    assert rows.tolist() == [2, 0]
    assert rarity.tolist() == [18.0, 0.0]
