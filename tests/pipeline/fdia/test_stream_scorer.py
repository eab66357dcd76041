"""The scorer in a stream of many sites: the same however it is batched, and after a restart."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fdia.detector import Detector
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.fitted import DETECTOR_FILE, FittedDetector
from pipeline.fdia.fitting import fit_detector
from pipeline.fdia.layout import Floats, Integers
from pipeline.fdia.regular import RegularSeries
from pipeline.fdia.sites import KINDS
from pipeline.fdia.stream_scorer import HOLD_ROWS, PulseVerdicts, StreamScorer
from pipeline.messages import VALUE_NAMES

SLOT_S = 1_800
WARM = 2_400
"""The row from which on sites are judged here: some were not learnt, and all have weeks before them."""
FIELDS = [field.name for field in fields(PulseVerdicts)]


def pulses(load: RegularSeries, start: int, end: int, cadence_s: int = SLOT_S) -> tuple[Integers, Floats]:
    """Stamps and load of some slots, cut into pulses, in the scorer's own resolution."""
    per_slot = SLOT_S // cadence_s
    kw = np.repeat(np.rint(load.values_kw[0, start:end] * 1024) / 1024, per_slot)
    first_ms = round(load.stamps[start].timestamp() * 1000)
    return first_ms + 1000 * cadence_s * np.arange(len(kw)), kw


def columns(kw: Floats, channel: str = "load_kw") -> Floats:
    values = np.full((len(VALUE_NAMES), len(kw)), np.nan)
    values[VALUE_NAMES.index(channel)] = kw
    return values


def scored(
    scorer: StreamScorer, sites: Integers, ts_ms: Integers, values: Floats, cuts: list[int]
) -> list[PulseVerdicts]:
    edges = [0, *sorted(cuts), len(sites)]
    return [scorer.score(sites[a:b], ts_ms[a:b], values[:, a:b]) for a, b in pairwise(edges) if a < b]


def same(one: list[PulseVerdicts], other: list[PulseVerdicts], keep: slice | Integers = slice(None)) -> None:
    for name in FIELDS:
        a, b = (np.concatenate([getattr(part, name) for part in parts]) for parts in (one, other))
        np.testing.assert_array_equal(a[keep], b, err_msg=name)


Warm = Callable[[int], StreamScorer]


@pytest.fixture(scope="module")
def warm(fitted: FittedDetector, load: RegularSeries) -> Warm:
    """Copies of scorers whose three sites have more than a week behind them, one a cadence."""
    ts_ms, kw = pulses(load, WARM - 430, WARM)
    made: dict[int, StreamScorer] = {}

    def copy_of(cadence_s: int) -> StreamScorer:
        if cadence_s not in made:
            made[cadence_s] = StreamScorer(fitted, cadence_s)
            made[cadence_s].begin(range(3))
            for site in range(3):
                made[cadence_s].restore(site, ts_ms[: 430 - site], columns(kw)[:, : 430 - site])
        return deepcopy(made[cadence_s])

    return copy_of


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, 300), max_size=8),
    cadence_s=st.sampled_from([600, 1_800]),
)
def test_verdicts_are_the_same_in_any_batching_and_beside_any_other_sites(
    warm: Warm, load: RegularSeries, *, seed: int, cuts: list[int], cadence_s: int
) -> None:
    rng = np.random.default_rng(seed)
    ts_ms, kw = pulses(load, WARM, WARM + 120 * cadence_s // SLOT_S, cadence_s)
    rows, sites = np.tile(np.arange(120), 3), np.repeat(np.arange(3), 120)
    every = np.concatenate([kw, kw * 1.05, kw])
    every[rng.integers(0, 360, 20)] *= 1.2
    every[rng.integers(0, 360, 20)] = np.nan
    order = np.argsort(rows + rng.integers(0, 9, 3)[sites] + rng.random(360), kind="stable")
    order = order[rng.random(360) > 0.05]
    sites, stamps, values = sites[order], ts_ms[rows[order]], columns(every[order])
    whole, cut, alone = (warm(cadence_s) for _ in range(3))
    together = scored(whole, sites, stamps, values, [])
    same(together, scored(cut, sites, stamps, values, cuts))
    mine = np.flatnonzero(sites == 1)
    same(together, scored(alone, sites[mine], stamps[mine], values[:, mine], []), mine)
    assert (together[0].trust < 0.5).any()


def test_the_stream_and_the_offline_detector_give_the_same_bits(
    fitted: FittedDetector, load: RegularSeries, first: int
) -> None:
    start, end = first - 500, first + 100
    ts_ms, kw = pulses(load, start, end)
    kw[540:546] = np.rint(kw[540:546] * 1.1 * 1024) / 1024
    scorer = StreamScorer(FittedDetector(fitted.full, None), SLOT_S)
    scorer.begin([0])
    live = scorer.score(np.zeros(len(kw), dtype=np.int64), ts_ms, columns(kw))
    assert fitted.full is not None
    offline = Detector(fitted.full, np.full((1, 1, 1), np.nan)).judge(load.stamps[start:end], kw[None, None])
    known = slice(450, None)
    np.testing.assert_array_equal(live.score[known], offline.score[0, known])
    np.testing.assert_array_equal(live.alarm_week[known], offline.alarm_week[0, known])
    assert live.alarm_week[540:546].any()


def test_a_site_restored_from_its_stored_pulses_goes_on_with_the_same_bits(
    fitted: FittedDetector, load: RegularSeries, first: int
) -> None:
    ts_ms, kw = pulses(load, first, first + 200, 300)
    kw[520:580] *= 1.1
    values, sites = columns(kw), np.ones(len(kw), dtype=np.int64)
    running, restarted = StreamScorer(fitted, 300), StreamScorer(fitted, 300)
    running.begin([0, 1])
    before = 550  # in the attack, and in an open slot; all of it is judged again
    running.score(sites[:before], ts_ms[:before], values[:, :before])
    restarted.restore(1, ts_ms[:before], values[:, :before])
    rest = [scored(s, sites[before:], ts_ms[before:], values[:, before:], []) for s in (running, restarted)]
    same(rest[0], rest[1])
    assert (rest[0][0].trust < 0.5).any()


def test_a_row_that_is_begun_again_knows_nothing_of_the_site_before(
    fitted: FittedDetector, load: RegularSeries, first: int
) -> None:
    ts_ms, kw = pulses(load, first, first + 60)
    sites = np.full(60, 4)
    used, fresh = StreamScorer(fitted, SLOT_S), StreamScorer(fitted, SLOT_S)
    for scorer in (used, fresh):
        scorer.begin([4])
    used.score(sites, ts_ms, columns(kw * np.where(np.arange(60) > 50, 1.3, 1.0)))
    used.begin([4])
    again = [scored(scorer, sites, ts_ms, columns(kw), []) for scorer in (used, fresh)]
    same(again[0], again[1])


def test_an_attack_on_fast_pulses_costs_the_trust_from_the_slots_end_on_and_gets_a_substitute(
    warm: Warm, load: RegularSeries
) -> None:
    ts_ms, truth = pulses(load, WARM, WARM + 60, 300)
    began, ended = 30 * 6, 36 * 6
    kw = truth.copy()
    kw[began:ended] *= 1.15
    found = warm(300).score(np.zeros(len(kw), dtype=np.int64), ts_ms, columns(kw))
    assert found.trust[began : began + 5].min() >= 0.5  # the slot is not over
    doubted = slice(began + 5, ended - 1)
    assert found.trust[doubted].max() < 0.5
    assert (found.since_ms[doubted] == ts_ms[began]).all()
    assert {KINDS[code] for code in found.kind[doubted]} == {"step"}
    assert (found.channel[doubted] == 0).all()
    np.testing.assert_allclose(found.substitute_kw[doubted], truth[doubted], rtol=0.08)
    assert np.isnan(found.substitute_kw[:began]).all()


def test_distrust_outlasts_its_evidence_by_some_rows_and_then_ends(warm: Warm, load: RegularSeries) -> None:
    ts_ms, kw = pulses(load, WARM, WARM + 60)
    kw[30] *= 1.2
    found = warm(SLOT_S).score(np.zeros(len(kw), dtype=np.int64), ts_ms, columns(kw))
    assert (found.trust[30 : 31 + HOLD_ROWS] < 0.5).all()
    assert (found.since_ms[30 : 31 + HOLD_ROWS] == ts_ms[30]).all()
    assert np.isnan(found.substitute_kw[31:]).all()
    assert found.trust[45:].min() >= 0.5


def test_late_pulses_and_a_long_silence_change_no_verdict_and_raise_no_alarm(
    fitted: FittedDetector, load: RegularSeries, first: int
) -> None:
    ts_ms, kw = pulses(load, first - 480, first + 60)
    kept = np.concatenate([np.arange(400), np.arange(470, 540)])
    late = np.insert(kept, 450, 100)
    answers = []
    for rows in (kept, late):
        scorer = StreamScorer(fitted, SLOT_S)
        scorer.begin([0])
        wrong = np.where(np.diff(rows, prepend=-1) < 0, 5.0, 1.0)
        sites = np.zeros(len(rows), dtype=np.int64)
        answers.append(scorer.score(sites, ts_ms[rows], columns(kw[rows] * wrong)))
    same([answers[1]], [answers[0]], np.delete(np.arange(len(late)), 450))
    assert not answers[0].alarm_week[400:420].any()


def test_a_false_net_load_is_replaced_by_what_the_other_meters_give(load: RegularSeries, first: int) -> None:
    solar = 100.0 * np.clip(np.sin(np.arange(len(load)) * 2 * np.pi / 48), 0.0, None)
    values = np.stack([load.values_kw[0], solar, load.values_kw[0] - solar])
    series = RegularSeries(load.stamps, load.cadence_s, ("load_kw", "solar_kw", "net_load_kw"), values)
    detector = FittedDetector(None, fit_detector(series.part(0, first), "UTC", 0))
    kw = values[:, first : first + 40].copy()
    kw[2, 20:26] *= 1.02  # far less than the detector of the channel alone can see
    pulse = np.full((len(VALUE_NAMES), 40), np.nan)
    for place, name in enumerate(series.channels):
        pulse[VALUE_NAMES.index(name)] = kw[place]
    scorer = StreamScorer(detector, SLOT_S)
    scorer.begin([0])
    ts_ms = pulses(load, first, first + 40)[0]
    found = scorer.score(np.zeros(40, dtype=np.int64), ts_ms, pulse)
    attacked = slice(20, 26)
    assert (found.trust[attacked] < 0.5).all()
    assert {KINDS[code] for code in found.kind[attacked]} == {"balance"}
    assert (found.channel[attacked] == 2).all()
    np.testing.assert_allclose(found.substitute_kw[attacked], values[2, first + 20 : first + 26], rtol=1e-4)
    assert found.trust[:20].min() >= 0.5


def test_a_detector_that_was_saved_judges_with_the_same_bits(
    fitted: FittedDetector, load: RegularSeries, first: int, tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    loaded = FittedDetector.load(tmp_path)
    assert loaded is not None
    ts_ms, kw = pulses(load, first - 480, first + 40)
    answers = []
    for detector in (fitted, loaded):
        scorer = StreamScorer(detector, SLOT_S)
        scorer.restore(0, ts_ms[:480], columns(kw)[:, :480])
        answers.append(scorer.score(np.zeros(40, dtype=np.int64), ts_ms[480:], columns(kw[480:])))
    same([answers[0]], [answers[1]])


def test_no_file_is_no_detector_and_a_damaged_one_is_an_error(fitted: FittedDetector, tmp_path: Path) -> None:
    assert FittedDetector.load(tmp_path) is None
    fitted.save(tmp_path)
    content = (tmp_path / DETECTOR_FILE).read_bytes()
    (tmp_path / DETECTOR_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(DetectorError, match="train again"):
        FittedDetector.load(tmp_path)


def test_the_state_of_a_site_stays_small(fitted: FittedDetector) -> None:
    scorer = StreamScorer(fitted, 300)
    scorer.begin(range(100))
    assert scorer.bytes_per_site < 16_000
