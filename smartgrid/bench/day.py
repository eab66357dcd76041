"""``bench day``: our value on days that were not used in tuning, beside two simple policies, in one run."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from grid.accounts import DayAccounts, RunAccounts
from grid.day_set import SetFigures, set_figures
from grid.intervals import interval_means
from grid.synthetic import training_series
from policies.limits import load_limits
from smartgrid.bench.day_sets import DaySet, Job
from smartgrid.bench.offline import BatteryPolicy, run_battery_policy
from smartgrid.bench.reference_policies import limiter_with_thresholds, reactive_limiter
from smartgrid.day.preparation import Knowledge, PreparedDay, learn, prepare
from smartgrid.day.runner import run_day

OURS = "this supervisor"
REFERENCES: dict[str, BatteryPolicy] = {
    "reactive limiter": reactive_limiter,
    "limiter + price thresholds": limiter_with_thresholds,
}


@dataclass(frozen=True, slots=True)
class JobResult:
    """One day by policy, and what its check found."""

    name: str
    accounts: dict[str, DayAccounts]
    violations: int
    dispatches: int


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One policy on one set of days."""

    day_set: str
    policy: str
    days: int
    figures: SetFigures
    violations: int | None


def bench_days(
    sets: Sequence[DaySet], workers: int, on_day: Callable[[str, JobResult], None]
) -> Iterator[BenchRow]:
    """Run the sets; the rows of each come when it is done.

    Args:
        sets: days to run.
        workers: processes.
        on_day: told of each finished day, with its set's name.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for day_set in sets:
            results = []
            for result in pool.map(run_job, day_set.jobs):
                on_day(day_set.name, result)
                results.append(result)
            yield from _rows(day_set, results)


def _rows(day_set: DaySet, results: Sequence[JobResult]) -> Iterator[BenchRow]:
    for policy in (OURS, *REFERENCES):
        figures = set_figures([result.accounts[policy] for result in results])
        violations = sum(result.violations for result in results) if policy == OURS else None
        yield BenchRow(day_set.name, policy, len(results), figures, violations)


def run_job(job: Job) -> JobResult:
    """Run one day through the whole chain, and the references on the same accounts."""
    day = prepare(job.scenario(), knowledge_of(job))
    with TemporaryDirectory(prefix="smartgrid-bench-") as folder:
        result = asyncio.run(run_day(day, Path(folder)))
    accounts = {OURS: result.accounts}
    for name, policy in REFERENCES.items():
        accounts[name] = replace(result.accounts, ours=_reference(day, policy))
    return JobResult(result.name, accounts, len(result.violations), len(result.dispatches))


def knowledge_of(job: Job) -> Knowledge:
    """What a day may know; days that learn from the same rows share it."""
    return _simulated(job.tz) if job.path is None else _recorded(job.first_of_its_model())


@lru_cache(maxsize=1)
def _simulated(tz: str) -> Knowledge:
    return learn(training_series(), tz=tz, limits=load_limits(None))


@lru_cache(maxsize=1)
def _recorded(first: Job) -> Knowledge:
    return learn(first.scenario().training, tz=first.tz, limits=load_limits(None))


def _reference(day: PreparedDay, policy: BatteryPolicy) -> RunAccounts:
    accounts_input, limits = day.accounts_input(), day.knowledge.area.limits
    means = interval_means(day.scenario.series)
    times = pd.date_range(day.scenario.start, periods=len(accounts_input.native_kw), freq=day.interval)
    column = "da_price_usd_per_mwh"
    day_ahead = means[column].reindex(times).tolist() if column in means else [np.nan] * len(times)
    return run_battery_policy(
        accounts_input,
        policy,
        start=day.scenario.start,
        da_price_usd_per_mwh=day_ahead,
        battery=limits.battery,
        peaker=limits.peaker,
    )
