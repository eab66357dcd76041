"""Figures that cannot be flattered."""

import numpy as np
import pytest

from pipeline.fdia.scoring import false_alarms, rearmed, score_kind
from pipeline.fdia.tails import fit_tail, surprise


def test_alarms_count_once_an_hour() -> None:
    assert rearmed(np.array([0, 1, 3, 4, 5, 9]), 4).tolist() == [0, 4, 9]


def test_a_detector_that_is_always_on_has_24_false_alarms_a_day_and_finds_no_more_than_chance() -> None:
    rows = 96 * 30
    events = np.zeros(rows, dtype=bool)
    events[1_000:1_010] = True
    always = np.ones(rows, dtype=bool)
    rate = false_alarms(always, events, 4, 1.0)
    assert rate.per_day == pytest.approx(24.0, rel=0.01)
    assert not rate.inside
    scored = score_kind([(1_000, 1_010)], events, np.zeros(rows), (always, always), 900.0)
    assert scored.recall_day == scored.chance_day == 1.0
    assert scored.auc == 0.5


def test_recall_auc_and_delay_read_the_rows_of_the_event_alone() -> None:
    rows = 2_000
    events = np.zeros(rows, dtype=bool)
    events[100:110] = events[500:510] = True
    alarm, score = np.zeros(rows, dtype=bool), np.zeros(rows)
    alarm[[104, 510]] = True  # the second is one row too late
    score[100:110] = 1.0
    scored = score_kind([(100, 110), (500, 510)], events, score, (alarm, alarm), 900.0)
    assert scored.recall_day == 0.5
    assert scored.delay_min == 60.0
    assert scored.auc == pytest.approx(0.75)


def test_a_count_outside_the_poisson_interval_is_called_so() -> None:
    alarm = np.zeros(96 * 100, dtype=bool)
    alarm[::96] = True
    none = np.zeros(len(alarm), dtype=bool)
    assert false_alarms(alarm, none, 4, 1.0).inside
    assert not false_alarms(alarm, none, 4, 1.0 / 7.0).inside


def test_surprise_is_the_logarithm_of_how_rarely_clean_rows_reach_a_value() -> None:
    drawn = np.random.default_rng(0).exponential(1.0, 96 * 400)
    tail = fit_tail(drawn, 400.0)
    for per_day in (5.0, 1.0, 1.0 / 7.0):
        value = np.log(96.0 / per_day)
        assert surprise(np.array(value), tail) == pytest.approx(-np.log(per_day), abs=0.35)


def test_a_value_that_clean_rows_never_showed_is_rare_and_one_that_ties_make_usual_is_not() -> None:
    counts = np.zeros(96 * 100)
    tail = fit_tail(counts, 100.0)
    assert surprise(np.array(0.0), tail) < -10.0
    assert surprise(np.array(1.0), tail) > 5.0
    assert surprise(np.array(np.nan), tail) < -10.0


def test_a_value_that_clean_rows_take_again_and_again_is_no_rarer_than_it_was() -> None:
    days, twice = 100.0, 12
    repeats = np.concatenate([np.zeros(9_000), np.ones(110), np.full(twice, 2.0)])
    tails = fit_tail(repeats, days)
    assert surprise(np.array([2.0]), tails)[0] <= -np.log(twice / days) + 1e-9
    assert surprise(np.array([3.0]), tails)[0] > surprise(np.array([2.0]), tails)[0] + 1.0
