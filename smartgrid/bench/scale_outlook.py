"""The simulation beside the measured loss of a worker, and what it says of groups that nobody has run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from smartgrid.bench.scale_capacity import Costs, need
from smartgrid.bench.scale_failure import RETENTION_TURNS, SAMPLE_S, FailurePlan, FailureRun
from smartgrid.bench.scale_recovery import Recovery, Sample, recovery
from smartgrid.bench.scale_simulation import Kill, Scenario, Simulation, Stall
from smartgrid.bench.stream_load import CADENCE_S
from smartgrid.bench.stream_topics import PARTITIONS

SEEDS = 40
_QUIET_S = 30.0
_SPANS_S = (450.0, 1_800.0, 7_200.0)
_SLOW_POLL_S = 0.5
"""Fewer and larger batches make long simulations short; the lag at rest is larger then."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of the simulation over many seeds, and what was measured once.

    Attributes:
        what: its name.
        simulated: mean.
        low, high: least and most.
        measured: NaN where the measured group never was back.
    """

    what: str
    simulated: float
    low: float
    high: float
    measured: float

    @property
    def error_pct(self) -> float:
        """Of the mean, against the measured."""
        return 100.0 * (self.simulated / self.measured - 1.0)


def failure_scenario(costs: Costs, plan: FailurePlan, run: FailureRun, rebuild_us: float) -> Scenario:
    """The measured scenario, with the survivor's speed beside broker and producer on the same cores."""
    model = costs.model
    beside_us = run.producer_us + (costs.wire.broker_in_us or 0.0)
    by_cores = (model.cores * 1e6 - plan.rate_per_s * beside_us) / model.core_us(plan.sites)
    by_thread = model.busy * 1e6 / model.main_us.at(plan.sites)
    return Scenario(
        events_per_s=plan.rate_per_s,
        partitions=PARTITIONS,
        workers=2,
        event_s=1.0 / min(by_thread, by_cores),
        rebuild_s=rebuild_us * 1e-6,
        retention_s=RETENTION_TURNS * plan.sites / plan.rate_per_s,
        log_s=run.log_records / plan.rate_per_s,
        together=True,
    )


def compare(scenario: Scenario, plan: FailurePlan, run: FailureRun) -> list[Compared]:
    """Recovery, simulated and measured."""
    measured = recovery(run.samples, run.fault_at_s)
    simulated = [
        recovery(
            _samples(scenario, [Kill(run.fault_at_s)], seed, plan.before_s + plan.after_s), run.fault_at_s
        )
        for seed in range(SEEDS)
    ]
    figures: list[tuple[str, Callable[[Recovery], float]]] = [
        ("largest lag, events", lambda found: found.peak),
        ("mean lag until it is back, events", lambda found: found.mean),
        ("seconds until the largest lag", lambda found: found.peak_at_s),
        ("seconds until it is back", lambda found: float("nan") if found.back_s is None else found.back_s),
    ]
    rows = []
    for what, figure in figures:
        values = [figure(found) for found in simulated]
        rows.append(Compared(what, fmean(values), min(values), max(values), figure(measured)))
    return rows


def _samples(scenario: Scenario, faults: Sequence[Kill | Stall], seed: int, until_s: float) -> list[Sample]:
    return Simulation(scenario, faults, seed).run(until_s, SAMPLE_S)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A fault in a group of many sites.

    Attributes:
        sites: of the group.
        fault: what happens.
        workers, partitions: of the group.
        waited_s: longest that a pulse waits for its forecast.
        lag_s: mean lag of the group until it is back, in seconds of all sites' pulses.
        back_s: seconds from the fault until no forecast waits longer than a pulse; None where that is not
            within the simulated time.
    """

    sites: int
    fault: str
    workers: int
    partitions: int
    waited_s: float
    lag_s: float
    back_s: float | None


def outlook(costs: Costs, sites: int, rebuild_us: float) -> list[Outlook]:
    """What becomes of a group with the planned workers, each on cores of its own."""
    planned = need(costs, sites)
    scenario = Scenario(
        events_per_s=planned.events_per_s,
        partitions=planned.partitions,
        workers=planned.workers,
        event_s=1.0 / costs.worker_per_s,
        rebuild_s=rebuild_us * 1e-6,
        retention_s=RETENTION_TURNS * CADENCE_S,
        log_s=costs.assumed.log_h * 3600.0,
        poll_s=_SLOW_POLL_S,
    )
    third = max(1, planned.workers // 3)
    faults: list[tuple[str, Kill | Stall]] = [
        ("a worker is lost, none starts", Kill(_QUIET_S)),
        ("a worker is lost, another starts after 5 s", Kill(_QUIET_S, 1, 5.0)),
        ("a worker is lost, another starts after a minute", Kill(_QUIET_S, 1, 60.0)),
        (f"a zone is lost: {third} of {planned.workers} workers, none starts", Kill(_QUIET_S, third)),
        ("the brokers are away for 10 s", Stall(_QUIET_S, 10.0)),
        ("the store is away for 60 s", Stall(_QUIET_S, 60.0)),
    ]
    return [_after(scenario, sites, name, fault) for name, fault in faults]


def _after(scenario: Scenario, sites: int, name: str, fault: Kill | Stall) -> Outlook:
    """Simulated ever longer until it is back."""
    allowed = CADENCE_S * scenario.events_per_s / scenario.partitions
    for span_s in _SPANS_S:
        samples = Simulation(scenario, [fault], 0).run(span_s, 1.0)
        after = [(sample.t_s - _QUIET_S, sample.worst or 0, sample.lag) for sample in samples]
        late = [t_s for t_s, worst, _ in after if t_s >= 0.0 and worst > allowed]
        if not late or late[-1] < after[-1][0]:
            break
    end_s = late[-1] if late else 0.0
    return Outlook(
        sites=sites,
        fault=name,
        workers=scenario.workers,
        partitions=scenario.partitions,
        waited_s=CADENCE_S * max(worst for _, worst, _ in after) / allowed,
        lag_s=fmean(lag for t_s, _, lag in after if 0.0 <= t_s <= end_s) / scenario.events_per_s,
        back_s=end_s if end_s < after[-1][0] else None,
    )
