"""The detector in its stream: the same in any cut, from the past alone, and free of echoes."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fdia.attacks import AttackEvent, AttackKind, Signal, inject
from pipeline.fdia.bank import DELAY
from pipeline.fdia.detector import Detector, DetectorModel, Verdicts
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.fitting import fit_detector
from pipeline.fdia.layout import Floats
from pipeline.fdia.regular import RegularSeries

FIELDS = ("score", "alarm", "alarm_week", "trust", "channel", "leading", "age", "distrusted", "substitute_kw")
START, LENGTH = 300, 6


def attacked(load: RegularSeries, first: int, kind: str, magnitude: float, sign: int = 1) -> Floats:
    """Rows from ``first`` on, with one event of three hours in them."""
    values = load.values_kw[0]
    event = AttackEvent(first + START, first + START + LENGTH, AttackKind(kind, magnitude), sign)
    false = inject(Signal(values, 48, 1_000.0, 4.0), [event], np.random.default_rng(7))
    return false[None, None, first:]


def judge(
    model: DetectorModel, load: RegularSeries, first: int, pulses: Floats, cuts: list[int]
) -> list[Verdicts]:
    detector = Detector(model, load.values_kw[None, :, :first])
    edges = [0, *sorted(cuts), pulses.shape[2]]
    stamps = load.stamps[first : first + pulses.shape[2]]
    return [detector.judge(stamps[a:b], pulses[:, :, a:b]) for a, b in pairwise(edges) if a < b]


def joined(parts: list[Verdicts], field: str) -> Floats:
    return np.concatenate([getattr(part, field) for part in parts], axis=-1)


@settings(max_examples=5)
@given(cuts=st.lists(st.integers(1, 499), max_size=6))
def test_verdicts_are_the_same_bit_for_bit_in_any_chunking(
    model: DetectorModel, load: RegularSeries, first: int, cuts: list[int]
) -> None:
    pulses = attacked(load, first, "noise", 0.05)[:, :, :500]
    whole, parts = judge(model, load, first, pulses, []), judge(model, load, first, pulses, cuts)
    for field in FIELDS:
        np.testing.assert_array_equal(joined(whole, field), joined(parts, field), err_msg=field)


def test_a_site_gets_the_same_bits_alone_and_beside_others(
    model: DetectorModel, load: RegularSeries, first: int
) -> None:
    pulses = attacked(load, first, "scale", 0.1)[:, :, :500]
    others = np.concatenate([pulses * 1.01, pulses, pulses * 0.98, pulses + 3.0, pulses])
    history = np.repeat(load.values_kw[None, :, :first], len(others), axis=0)
    beside = Detector(model, history).judge(load.stamps[first : first + 500], others)
    alone = judge(model, load, first, pulses, [])[0]
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(beside, field)[1], getattr(alone, field)[0], err_msg=field)


@pytest.mark.parametrize("cut", [START + 2, 400])
def test_verdicts_before_a_cut_do_not_change_when_what_follows_does(
    model: DetectorModel, load: RegularSeries, first: int, cut: int
) -> None:
    pulses = attacked(load, first, "scale", 0.1)[:, :, :500]
    other = pulses.copy()
    other[:, :, cut:] = other[:, :, cut:] * 3.0 + 77.0
    a, b = judge(model, load, first, pulses, [])[0], judge(model, load, first, other, [])[0]
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(a, field)[..., :cut], getattr(b, field)[..., :cut])
    assert (a.score[0, cut:] != b.score[0, cut:]).any()


def test_the_fit_rests_on_training_rows_alone(load: RegularSeries, first: int, model: DetectorModel) -> None:
    again = fit_detector(load.part(0, first), "UTC")
    assert again.alarm_day == model.alarm_day
    np.testing.assert_array_equal(again.bank.weights, model.bank.weights)


@pytest.mark.parametrize(
    ("kind", "magnitude"),
    [("scale", 0.1), ("bias", 0.1), ("pulse", 0.1), ("noise", 0.1), ("freeze", 0.0), ("replay", 0.0)],
)
def test_a_plain_attack_is_found_while_it_lasts(
    model: DetectorModel, load: RegularSeries, first: int, kind: str, magnitude: float
) -> None:
    found = judge(model, load, first, attacked(load, first, kind, magnitude), [])[0]
    assert found.alarm[0, START : START + LENGTH].any()
    assert found.trust[0, START : START + LENGTH].min() <= 0.5


def test_what_is_distrusted_never_enters_the_history_that_judges_later_pulses(
    model: DetectorModel, load: RegularSeries, first: int
) -> None:
    pulses = attacked(load, first, "scale", 0.1)
    detector = Detector(model, load.values_kw[None, :, :first])
    doubted = 0
    for row in range(START + LENGTH + 2):
        found = detector.judge(load.stamps[first + row : first + row + 1], pulses[:, :, row : row + 1])
        believed = detector.believed_kw(1)[0, 0]
        if found.distrusted[0, 0, 0]:
            doubted += 1
            assert believed == found.substitute_kw[0, 0, 0]
            assert believed != pulses[0, 0, row]
        else:
            assert believed == pulses[0, 0, row]
    assert doubted >= LENGTH
    event = detector.believed_kw(LENGTH + 2)[0, :LENGTH]
    truth = load.values_kw[0, first + START : first + START + LENGTH]
    assert np.abs(event / truth - 1.0).max() < 0.06  # the false rows are 10 % off


def test_an_attack_that_was_found_leaves_no_echo_at_its_end_nor_a_day_and_a_week_later(
    model: DetectorModel, load: RegularSeries, first: int
) -> None:
    clean = judge(model, load, first, load.values_kw[None, :, first:], [])[0]
    found = judge(model, load, first, attacked(load, first, "scale", 0.1), [])[0]
    end = START + LENGTH
    for after in (slice(end, end + 4), slice(end + 40, end + 60), slice(end + 330, end + 350)):
        assert not (found.alarm_week[0, after] & ~clean.alarm_week[0, after]).any()
    assert not found.distrusted[0, 0, end]


def late_by(rows: int, pulses: Floats, load: RegularSeries, first: int) -> Floats:
    """The same pulses, those of the event late."""
    from_row = first + START - rows
    late = pulses.copy()
    late[0, 0, START : START + LENGTH] = load.values_kw[0, from_row : from_row + LENGTH]
    return late


@pytest.mark.parametrize("rows", [2, 3])
def test_a_signal_that_comes_late_is_found_by_the_rows_that_it_repeats(
    model: DetectorModel, load: RegularSeries, first: int, rows: int
) -> None:
    pulses = load.values_kw[None, :, first:]
    found = judge(model, load, first, late_by(rows, pulses, load, first), [])[0]
    alarms = START + np.flatnonzero(found.alarm_week[0, START : START + LENGTH])
    assert "replay" in Detector.kinds_of(model, found.leading[0, alarms])
    assert found.distrusted[0, 0, START + 1]


def test_a_coarse_meter_that_repeats_itself_raises_no_alarm_of_it(load: RegularSeries, first: int) -> None:
    values = np.round(load.values_kw / 50.0) * 50.0
    coarse = RegularSeries(load.stamps, load.cadence_s, load.channels, values)
    model = fit_detector(coarse.part(0, first), "UTC")
    found = judge(model, coarse, first, values[None, :, first:], [])[0]
    late = len(model.layout.horizons) + DELAY
    assert not (found.alarm[0] & (found.leading[0] == late)).any()
    repeats = np.array([np.sum(values[0, lag:] == values[0, :-lag]) for lag in model.layout.delays])
    assert (repeats > 100).all()


def test_the_report_names_channel_kind_and_when_it_began(
    model: DetectorModel, load: RegularSeries, first: int
) -> None:
    found = judge(model, load, first, attacked(load, first, "freeze", 0.0), [])[0]
    row = START + 2
    assert Detector.kinds_of(model, found.leading[0, row : row + 1]) == ["freeze"]
    assert model.channels[int(found.channel[0, row])] == "load_kw"
    assert found.age[0, row] == 3


@settings(max_examples=5)
@given(seed=st.integers(0, 1_000))
def test_scores_are_finite_whatever_is_missing_or_absurd(
    model: DetectorModel, load: RegularSeries, first: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pulses = load.values_kw[None, :, first : first + 200].copy()
    pulses[0, 0, rng.integers(0, 200, 60)] = np.nan
    pulses[0, 0, rng.integers(0, 200, 5)] = rng.choice([0.0, -1e9, 1e9], 5)
    found = judge(model, load, first, pulses, [])[0]
    assert np.isfinite(found.score).all()
    assert ((found.trust >= 0.0) & (found.trust <= 1.0)).all()
    assert not found.alarm[np.isnan(pulses[:, 0])].any()


def test_a_missing_pulse_gets_a_substitute_and_costs_no_alarm(
    model: DetectorModel, load: RegularSeries, first: int
) -> None:
    pulses = load.values_kw[None, :, first : first + 60].copy()
    pulses[0, 0, 20:24] = np.nan
    found = judge(model, load, first, pulses, [])[0]
    np.testing.assert_allclose(
        found.substitute_kw[0, 0, 20:24], load.values_kw[0, first + 20 : first + 24], rtol=0.08
    )


def test_a_second_meter_finds_a_ramp_that_one_meter_cannot_show(load: RegularSeries, first: int) -> None:
    noise = np.random.default_rng(5).normal(0.0, 0.01, len(load))
    values = np.concatenate([load.values_kw, load.values_kw * (1.0 + noise)])
    both = RegularSeries(load.stamps, load.cadence_s, ("load_kw", "net_load_kw"), values)
    pulses = values[None, :, first:].copy()
    pulses[0, 1, START : START + 8] *= 1.0 + 0.05 * np.arange(1, 9) / 8
    model = fit_detector(both.part(0, first), "UTC")
    found = Detector(model, values[None, :, :first]).judge(load.stamps[first:], pulses)
    assert found.alarm_week[0, START : START + 8].any()


def test_too_few_rows_or_an_unserved_cadence_is_an_error(load: RegularSeries) -> None:
    with pytest.raises(DetectorError, match="five weeks"):
        fit_detector(load.part(0, 500), "UTC")
    fast = RegularSeries(load.stamps, 5.0, load.channels, load.values_kw)
    with pytest.raises(DetectorError, match="cadence 5 s"):
        fit_detector(fast, "UTC")


def with_gap(load: RegularSeries, weeks: int) -> RegularSeries:
    """The load with nothing measured for some weeks in its middle."""
    half, nothing = len(load) // 2, np.full((1, weeks * 7 * 48), np.nan)
    values = np.concatenate((load.values_kw[:, :half], nothing, load.values_kw[:, half:]), axis=1)
    stamps = pd.date_range(load.stamps[0], periods=values.shape[1], freq=pd.Timedelta(minutes=30), unit="us")
    return RegularSeries(stamps, load.cadence_s, load.channels, values)


def test_a_long_gap_in_the_training_rows_leaves_the_rate_of_false_alarms_as_it_is(
    load: RegularSeries,
) -> None:
    whole, broken = (fit_detector(series, "UTC") for series in (load, with_gap(load, 26)))
    assert broken.alarm_day == pytest.approx(whole.alarm_day, abs=0.25)
    assert broken.alarm_week == pytest.approx(whole.alarm_week, abs=0.4)
