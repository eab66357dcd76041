"""The simulated group loses no record, works no faster than it can, and is back when arithmetic says so."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartgrid.bench.scale_recovery import Recovery, Sample, recovery
from smartgrid.bench.scale_simulation import NOBODY, Kill, Scenario, Simulation, Stall

FAULT_AT_S = 10.0
CALM = Scenario(
    events_per_s=10_000.0,
    partitions=12,
    workers=2,
    event_s=5e-5,
    rebuild_s=2.5e-5,
    retention_s=0.0,
    log_s=100.0,
    together=True,
    heartbeat_s=0.0,
)
"""Two workers, each at a quarter of what it can do; sessions end exactly in time, nothing is rewound."""
SCENARIOS = st.builds(
    replace,
    st.just(CALM),
    events_per_s=st.floats(100.0, 30_000.0),
    partitions=st.integers(1, 16),
    workers=st.integers(1, 5),
    retention_s=st.floats(0.0, 20.0),
    heartbeat_s=st.floats(0.0, 3.0),
    together=st.booleans(),
)
KILLS = st.builds(Kill, st.floats(0.0, 15.0), st.integers(1, 5), st.one_of(st.none(), st.floats(0.0, 15.0)))
FAULTS = st.lists(st.one_of(KILLS, st.builds(Stall, st.floats(0.0, 15.0), st.floats(0.1, 8.0))), max_size=4)


@settings(max_examples=30, deadline=None)
@given(SCENARIOS, FAULTS, st.integers(0, 9))
def test_what_arrived_is_processed_or_unfinished_at_every_moment(
    scenario: Scenario, faults: list[Kill | Stall], seed: int
) -> None:
    for sample in Simulation(scenario, faults, seed).run(30.0, 0.5):
        assert sample.processed is not None
        assert sample.unfinished is not None
        assert sample.processed + sample.unfinished == sample.arrived
        assert sample.lag >= sample.unfinished >= 0  # nothing is committed that is not finished


@settings(max_examples=30, deadline=None)
@given(SCENARIOS, FAULTS, st.integers(0, 9))
def test_no_worker_works_faster_than_it_can(
    scenario: Scenario, faults: list[Kill | Stall], seed: int
) -> None:
    simulation = Simulation(scenario, faults, seed)
    simulation.run(30.0)
    for worker in simulation.workers:
        assert worker.busy_s <= 30.0 + 1e-9
        assert worker.finished * min(scenario.event_s, scenario.rebuild_s) <= worker.busy_s + 1e-9


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 0.7), st.floats(0.0, 5.0))
def test_the_lag_returns_where_the_survivor_can_do_more_than_arrives(load: float, retention_s: float) -> None:
    scenario = replace(CALM, event_s=load / CALM.events_per_s, rebuild_s=1e-6, retention_s=retention_s)
    samples = Simulation(scenario, [Kill(FAULT_AT_S)], 1).run(60.0)
    assert recovery(samples, FAULT_AT_S).back_s is not None
    assert samples[-1].lag < 2.0 * CALM.events_per_s


@settings(max_examples=10, deadline=None)
@given(st.floats(1.05, 1.9), st.floats(0.0, 5.0))
def test_the_lag_grows_by_what_the_survivor_cannot_do(load: float, retention_s: float) -> None:
    scenario = replace(CALM, event_s=load / CALM.events_per_s, rebuild_s=1e-6, retention_s=retention_s)
    samples = Simulation(scenario, [Kill(FAULT_AT_S)], 1).run(90.0, 1.0)
    assert recovery(samples, FAULT_AT_S).back_s is None
    begin, end = samples[30].unfinished, samples[-1].unfinished
    assert begin is not None
    assert end is not None
    wanted = (1.0 - 1.0 / load) * CALM.events_per_s * 60.0
    assert end - begin == pytest.approx(wanted, abs=2.0 * CALM.batch_records)


@pytest.mark.parametrize("away_s", [5.0, 20.0])
def test_after_a_stall_the_backlog_goes_at_the_spare_speed(away_s: float) -> None:
    samples = Simulation(CALM, [Stall(FAULT_AT_S, away_s)], 1).run(80.0)
    found = recovery(samples, FAULT_AT_S)
    share = 0.25
    assert found.peak == pytest.approx(CALM.events_per_s * away_s, rel=0.2)
    assert found.back_s == pytest.approx(away_s / (1.0 - share), abs=1.5)


@pytest.mark.parametrize("retention_s", [0.0, 7.0, 30.0])
def test_a_lost_workers_backlog_and_rewind_go_at_the_survivors_spare_speed(retention_s: float) -> None:
    scenario = replace(CALM, retention_s=retention_s)
    found = recovery(Simulation(scenario, [Kill(FAULT_AT_S)], 1).run(120.0), FAULT_AT_S)
    orphans_per_s = CALM.events_per_s / 2.0
    finished_s = CALM.log_s + FAULT_AT_S
    marks = finished_s // retention_s - 1.0 if retention_s else 0.0
    rewound = orphans_per_s * (finished_s - marks * retention_s) if retention_s else 0.0
    work_s = orphans_per_s * CALM.session_s * CALM.event_s + rewound * CALM.rebuild_s
    spare = 1.0 - CALM.events_per_s * CALM.event_s
    assert found.back_s == pytest.approx(CALM.session_s + work_s / spare, rel=0.1)


@settings(max_examples=30, deadline=None)
@given(st.floats(1.0, 20.0), st.integers(0, 99))
def test_a_moved_partition_is_rewound_by_one_to_two_retentions(retention_s: float, seed: int) -> None:
    scenario = replace(CALM, retention_s=retention_s, together=False, heartbeat_s=3.0)
    simulation = Simulation(scenario, [Kill(FAULT_AT_S)], seed)
    samples = simulation.run(90.0)
    survivors = [worker.finished for worker in simulation.workers if worker.alive]
    own = CALM.events_per_s / 2.0 * FAULT_AT_S  # what the other one finished before it was killed
    processed = samples[-1].processed
    assert processed is not None
    again = sum(survivors) + own - processed
    orphans_per_s = CALM.events_per_s / 2.0
    not_committed = orphans_per_s * 2.0
    assert orphans_per_s * retention_s - not_committed <= again
    assert again <= 2.0 * orphans_per_s * retention_s + not_committed


def test_nothing_is_rewound_beyond_the_logs_beginning() -> None:
    scenario = replace(CALM, retention_s=1e6)
    simulation = Simulation(scenario, [Kill(FAULT_AT_S)], 1)
    simulation.run(90.0)
    [survivor] = [worker for worker in simulation.workers if worker.alive]
    orphans_log = CALM.events_per_s / 2.0 * (CALM.log_s + FAULT_AT_S)
    assert survivor.finished <= orphans_log + CALM.events_per_s * 90.0


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    scenario = replace(CALM, heartbeat_s=3.0)
    one, again, other = (Simulation(scenario, [Kill(FAULT_AT_S)], seed).run(40.0) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_survivors_keep_their_partitions_and_share_the_orphans() -> None:
    scenario = replace(CALM, workers=4)
    before = Simulation(scenario, [], 1).owners
    simulation = Simulation(scenario, [Kill(FAULT_AT_S)], 1)
    simulation.run(40.0)
    after = simulation.owners
    assert all(owner == after[number] for number, owner in enumerate(before) if owner != 0)
    assert sorted(after.count(worker) for worker in range(4)) == [0, 4, 4, 4]


@pytest.mark.parametrize("back_after_s", [2.0, 25.0])
def test_a_worker_that_starts_in_its_place_gets_a_share_before_and_after_the_session_ends(
    back_after_s: float,
) -> None:
    simulation = Simulation(replace(CALM, heartbeat_s=3.0), [Kill(FAULT_AT_S, 1, back_after_s)], 1)
    simulation.run(80.0)
    assert NOBODY not in simulation.owners
    assert [simulation.owners.count(worker) for worker in range(2)] == [6, 6]
    assert all(worker.finished > 0 for worker in simulation.workers)


def test_where_all_workers_are_lost_the_partitions_wait_for_the_next_one() -> None:
    simulation = Simulation(CALM, [Kill(FAULT_AT_S, 2, 30.0)], 1)
    samples = simulation.run(120.0)
    assert NOBODY not in simulation.owners
    assert recovery(samples, FAULT_AT_S).back_s is not None


def lags(*values: int) -> list[Sample]:
    return [Sample(float(t_s), 0, lag) for t_s, lag in enumerate(values)]


def test_recovery_is_counted_from_the_fault_to_the_first_lag_as_before() -> None:
    found = recovery(lags(5, 10, 8, 100, 300, 200, 20, 9), fault_at_s=2.5)
    assert found == Recovery(before=10, peak=300, mean=155.0, peak_at_s=1.5, back_s=3.5)


def test_a_lag_that_stays_is_never_back() -> None:
    found = recovery(lags(5, 10, 8, 100, 300, 200), fault_at_s=2.5)
    assert (found.back_s, found.mean) == (None, 200.0)
