"""The capacity model finds again what made its data, and fails its own test where it is wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartgrid.bench.scale_model import CapacityModel, CostCurve, Run, predictions

COSTS = st.floats(0.1, 20.0)
CURVES = st.builds(CostCurve, event_us=st.floats(1.0, 20.0), pass_us=st.floats(0.0, 300.0), row_us=COSTS)
SITES = st.integers(100, 10_000_000)
FIT = ((1_000, 1), (10_000, 1), (10_000, 2), (100_000, 1))
UNSEEN = ((3_000, 1), (3_000, 2), (30_000, 1), (30_000, 2))
TRUTH = CapacityModel(2, CostCurve(6.0, 80.0, 1.0), CostCurve(7.0, 90.0, 1.5), 2.0, busy=0.9, contention=0.95)


def run_of(truth: CapacityModel, sites: int, workers: int) -> Run:
    """What an exact measurement of the truth would give."""
    return Run(
        sites=sites,
        workers=workers,
        events=100_000,
        events_per_s=truth.events_per_s(sites, workers),
        main_us=truth.main_us.at(sites),
        worker_us=truth.worker_us.at(sites),
        broker_us=truth.broker_us,
        rebuild_us=7.0,
        state_bytes_per_site=4_096.0,
    )


@given(CURVES)
def test_a_curve_is_found_again_from_three_numbers_of_sites(truth: CostCurve) -> None:
    found = CostCurve.fit([(sites, truth.at(sites)) for sites in (1_000, 10_000, 100_000)])
    for sites in (300, 3_000, 30_000, 1_000_000):
        assert found.at(sites) == pytest.approx(truth.at(sites), rel=1e-6)


@given(st.lists(st.tuples(SITES, COSTS), min_size=1, max_size=6))
def test_no_part_of_a_cost_is_ever_negative(points: list[tuple[int, float]]) -> None:
    found = CostCurve.fit(points)
    assert min(found.event_us, found.pass_us, found.row_us) >= 0.0


@given(CURVES, SITES)
def test_beyond_full_batches_a_cost_does_not_change_with_more_sites(curve: CostCurve, sites: int) -> None:
    assert curve.at(120_000 + sites) == pytest.approx(curve.at(120_000))


@given(CURVES, SITES, st.integers(1, 30), st.integers(1, 64))
def test_more_workers_do_not_do_less_and_never_more_than_the_cores_allow(
    curve: CostCurve, sites: int, workers: int, cores: int
) -> None:
    model = CapacityModel(cores, curve, curve, 2.0, busy=0.9, contention=1.0)
    rates = [model.events_per_s(sites, count) for count in (workers, workers + 1)]
    assert rates[0] <= rates[1] * (1 + 1e-12)
    assert rates[1] * model.core_us(sites) <= cores * 1e6 * (1 + 1e-12)


@given(SITES, st.integers(1, 4), st.floats(1.01, 3.0))
def test_a_dearer_event_means_fewer_of_them(sites: int, workers: int, dearer: float) -> None:
    curve = CostCurve(*(dearer * part for part in (6.0, 80.0, 1.0)))
    slower = replace(TRUTH, main_us=curve, worker_us=curve)
    faster = replace(TRUTH, worker_us=TRUTH.main_us)
    assert slower.events_per_s(sites, workers) < faster.events_per_s(sites, workers)


def test_a_lone_worker_is_bound_by_its_python_thread() -> None:
    assert TRUTH.events_per_s(120_000, 1) == pytest.approx(0.9e6 / (6.0 + 80.0 / 10_000 + 1.0))


def test_two_workers_on_two_cores_are_bound_by_the_cores_and_what_they_cost_each_other() -> None:
    core_us = 7.0 + 90.0 / 10_000 + 1.5 + 2.0
    assert TRUTH.events_per_s(120_000, 2) == pytest.approx(0.95 * 2e6 / core_us)


def test_all_of_the_model_is_found_again_and_holds_at_sites_it_has_not_seen() -> None:
    found = CapacityModel.fit([run_of(TRUTH, *at) for at in FIT], cores=2)
    assert found.busy == pytest.approx(TRUTH.busy)
    assert found.contention == pytest.approx(TRUTH.contention)
    made = predictions(found, [run_of(TRUTH, *at) for at in UNSEEN])
    assert [(each.sites, each.workers) for each in made] == list(UNSEEN)
    assert [each.error_pct for each in made] == pytest.approx([0.0] * 4, abs=1e-4)
    assert all(each.holds for each in made)
    assert [each.predicted_us for each in made] == pytest.approx([each.measured_us for each in made])


@pytest.mark.parametrize(
    ("measured_share", "holds"), [(0.84, True), (0.82, False), (1.24, True), (1.26, False)]
)
def test_a_prediction_holds_within_20_percent_of_what_is_measured(measured_share: float, holds: bool) -> None:
    unseen = run_of(TRUTH, 3_000, 1)
    [made] = predictions(TRUTH, [replace(unseen, events_per_s=unseen.events_per_s * measured_share)])
    assert made.holds == holds


def test_a_model_that_takes_contention_for_granted_fails_where_workers_hinder_each_other() -> None:
    hindered = replace(TRUTH, contention=0.6)
    blind = replace(TRUTH, contention=1.0)
    made = predictions(blind, [run_of(hindered, *at) for at in UNSEEN])
    assert [each.holds for each in made] == [each.workers == 1 for each in made]


def test_runs_of_one_kind_count_by_their_median() -> None:
    run = run_of(TRUTH, 3_000, 1)
    repeats = [replace(run, events_per_s=rate) for rate in (10.0, 1_000.0, 1_100.0)]
    [made] = predictions(TRUTH, repeats)
    assert made.measured_per_s == 1_000.0
