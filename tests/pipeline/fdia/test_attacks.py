"""Attacks are what the definitions say, wherever they fall."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fdia.attacks import (
    DEFAULT_KINDS,
    AttackEvent,
    AttackKind,
    Signal,
    inject,
    parse_kinds,
    plan_events,
)
from pipeline.fdia.errors import AttackError

ROWS, FIRST, CADENCE_S = 20_000, 2_000, 900.0
TRUTH = 1_000.0 + 100.0 * np.sin(np.arange(ROWS) / 15.0) + np.random.default_rng(0).normal(0.0, 2.0, ROWS)
SIGNAL = Signal(TRUTH, 96, 1_000.0, 8.0)


def false_of(kind: str, magnitude: float = 0.0, *, sign: int = 1, length: int = 8) -> np.ndarray:
    event = AttackEvent(5_000, 5_000 + length, AttackKind(kind, magnitude), sign)
    return inject(SIGNAL, [event], np.random.default_rng(1))[5_000 : 5_000 + length]


@given(seed=st.integers(0, 2**32), cadence_s=st.sampled_from([300.0, 900.0, 1_800.0]))
def test_events_are_of_legal_length_and_spacing_and_equal_in_number(seed: int, cadence_s: float) -> None:
    kinds = parse_kinds(DEFAULT_KINDS)
    events = plan_events(FIRST, ROWS, cadence_s, kinds, np.random.default_rng(seed))
    lengths = [(event.end - event.start) * cadence_s for event in events]
    assert min(lengths) >= 1_800
    assert max(lengths) <= 14_400
    apart = [(b.start - a.end) * cadence_s for a, b in pairwise(events)]
    assert min(apart) >= 14_400
    assert events[0].start >= FIRST
    assert events[-1].end <= ROWS
    assert len({sum(event.kind == kind for event in events) for kind in kinds}) == 1
    share = sum(lengths) / ((ROWS - FIRST) * cadence_s)
    assert share == pytest.approx(0.05, abs=0.02)


@given(seed=st.integers(0, 2**32))
def test_rows_outside_events_stay_as_they_were_and_missing_ones_stay_missing(seed: int) -> None:
    holed = TRUTH.copy()
    holed[::7] = np.nan
    rng = np.random.default_rng(seed)
    events = plan_events(FIRST, ROWS, CADENCE_S, parse_kinds(DEFAULT_KINDS), rng)
    attacked = inject(Signal(holed, 96, 1_000.0, 8.0), events, rng)
    outside = np.ones(ROWS, dtype=bool)
    for event in events:
        outside[event.start : event.end] = False
    np.testing.assert_array_equal(attacked[outside], holed[outside])
    np.testing.assert_array_equal(np.isnan(attacked), np.isnan(holed))


def test_each_kind_follows_its_formula() -> None:
    rows = slice(5_000, 5_008)
    truth, step = TRUTH[rows], np.arange(1, 9)
    np.testing.assert_allclose(false_of("scale", 0.05, sign=-1), truth * 0.95)
    np.testing.assert_allclose(false_of("bias", 0.02), truth + 20.0)
    np.testing.assert_allclose(false_of("ramp", 0.05), truth * (1 + 0.05 * step / 8))
    np.testing.assert_allclose(false_of("pulse", 0.1) / truth, [1.1, 1, 1, 1, 1.1, 1, 1, 1])
    np.testing.assert_array_equal(false_of("replay"), TRUTH[5_000 - 96 : 5_008 - 96])
    np.testing.assert_array_equal(false_of("freeze"), np.full(8, TRUTH[4_999]))
    drift = false_of("drift", 0.5) - truth
    assert np.abs(np.diff(drift)).max() <= 0.5 * 8.0 + 1e-9
    np.testing.assert_allclose(drift, drift[::-1], atol=1e-9)
    wave = false_of("wave", 1.0) - truth
    assert 0.95 * 8.0 < wave.max() <= 8.0
    noise = false_of("noise", 0.03, length=2_000 // 20) / TRUTH[5_000:5_100] - 1
    assert noise.std() == pytest.approx(0.03, rel=0.3)


@pytest.mark.parametrize("text", ["", "scale:0", "scale:-1", "scale:x", "replay:0.1", "bend", "scale,scale"])
def test_a_kind_that_is_none_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(AttackError, match="--kinds"):
        parse_kinds(text)


def test_too_short_a_span_says_how_much_is_needed() -> None:
    with pytest.raises(AttackError, match="days or more"):
        plan_events(0, 200, CADENCE_S, parse_kinds(DEFAULT_KINDS), np.random.default_rng(0))
