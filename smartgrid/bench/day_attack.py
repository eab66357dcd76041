"""``bench day --attack``: what false telemetry costs the closed loop, with trust gating on and off.

Each day is attacked once a kind and seed: two hours, from a full local hour that the seed chooses. Only the
telemetry is false; the accounts use the true meter. Loss is the cost under attack less that of the same
loop on a clean day. Off means that nothing is judged: the guardrails ask for no trust, and the loops take
every pulse as it was measured.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from grid.accounts import DayInput, settle_no_action
from grid.series import BaseSeries
from pipeline.fdia.attacks import AttackEvent, AttackKind, Signal, inject, parse_kinds
from smartgrid.bench.day import knowledge_of
from smartgrid.bench.day_sets import DaySet, Job
from smartgrid.day.preparation import PreparedDay, prepare
from smartgrid.day.runner import cost_of_day

KINDS: Final = "scale:0.1,bias:0.1,ramp:0.1,pulse:0.1,noise:0.03"
EVENT: Final = timedelta(hours=2)
COUNTS_FROM: Final = 0.05
"""Attacks count whose unguarded loss passes this share of what the unguarded loop gains on the clean day."""
_STREAM: Final = 0xFD1A


@dataclass(frozen=True, slots=True)
class Attacked:
    """One attack on one day; losses in USD.

    Attributes:
        day, kind, seed: which.
        gain_usd: cost of no action less that of the unguarded loop on the clean day.
        unguarded_usd: loss without trust gating.
        guarded_usd: loss with it; None where the attack does not count.
    """

    day: str
    kind: str
    seed: int
    gain_usd: float
    unguarded_usd: float
    guarded_usd: float | None

    @property
    def counts(self) -> bool:
        """Whether the attack does enough harm to be judged by."""
        return self.unguarded_usd > COUNTS_FROM * self.gain_usd


@dataclass(frozen=True, slots=True)
class AttackedDay:
    """All attacks on one day.

    Attributes:
        name: of the day.
        gating_usd: what trust gating costs on the clean day.
        attacks: one a kind and seed.
    """

    name: str
    gating_usd: float
    attacks: tuple[Attacked, ...]


@dataclass(frozen=True, slots=True)
class LossRow:
    """Sums over the attacks that count, of one kind or of all.

    Attributes:
        ratio: guarded loss over unguarded loss; None where none counts.
    """

    kind: str
    attacks: int
    counted: int
    unguarded_usd: float
    guarded_usd: float

    @property
    def ratio(self) -> float | None:
        """Guarded loss over unguarded loss; None where none counts."""
        return self.guarded_usd / self.unguarded_usd if self.counted else None


def bench_attacks(day_set: DaySet, seeds: Sequence[int], workers: int) -> Iterator[AttackedDay]:
    """Attack every day of a set; days come as they are done, in order.

    Args:
        day_set: the days.
        seeds: of the attacks.
        workers: processes.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(attack_day, day_set.jobs, [tuple(seeds)] * len(day_set.jobs))


def loss_rows(days: Sequence[AttackedDay]) -> list[LossRow]:
    """A row for each kind, and one for all."""
    attacks = [attack for day in days for attack in day.attacks]
    kinds = list(dict.fromkeys(attack.kind for attack in attacks))
    groups = [(kind, [attack for attack in attacks if attack.kind == kind]) for kind in kinds]
    return [_row(kind, group) for kind, group in [*groups, ("all", attacks)]]


def _row(kind: str, attacks: Sequence[Attacked]) -> LossRow:
    counted = [attack for attack in attacks if attack.counts]
    unguarded = sum(attack.unguarded_usd for attack in counted)
    guarded = sum(attack.guarded_usd for attack in counted if attack.guarded_usd is not None)
    return LossRow(kind, len(attacks), len(counted), unguarded, guarded)


def attack_day(job: Job, seeds: Sequence[int]) -> AttackedDay:
    """Attack one day; the guarded loop runs only where the unguarded one loses enough to count."""
    return attack_prepared(prepare(job.scenario(), knowledge_of(job)), seeds)


def attack_prepared(day: PreparedDay, seeds: Sequence[int], kinds: str = KINDS) -> AttackedDay:
    """Attack a day that is ready to run."""
    truth, open_day = day.accounts_input(), _trusting(day)
    clean, clean_open = _cost_usd(day, truth), _cost_usd(open_day, truth)
    gain = settle_no_action(truth).cost_usd - clean_open
    attacks = []
    for number, kind in enumerate(parse_kinds(kinds)):
        for seed in seeds:
            rng = np.random.default_rng([_STREAM, seed, day.scenario.day.toordinal(), number])
            unguarded = _cost_usd(attacked(open_day, kind, rng), truth) - clean_open
            found = Attacked(day.scenario.name, str(kind), seed, gain, unguarded, None)
            if found.counts:
                rng = np.random.default_rng([_STREAM, seed, day.scenario.day.toordinal(), number])
                guarded = _cost_usd(attacked(day, kind, rng), truth) - clean
                found = replace(found, guarded_usd=guarded)
            attacks.append(found)
    return AttackedDay(day.scenario.name, clean - clean_open, tuple(attacks))


def attacked(day: PreparedDay, kind: AttackKind, rng: np.random.Generator) -> PreparedDay:
    """The day as its meters tell it: net load is false for two hours, all else is true."""
    series, start = day.scenario.series, day.scenario.start
    frame = series.frame
    first, end = frame.index.searchsorted(start), frame.index.searchsorted(day.scenario.end)
    rows = round(EVENT.total_seconds() / series.cadence_s)
    hours = (day.scenario.end - start - EVENT) // timedelta(hours=1)
    begin = int(first + rng.integers(0, hours + 1) * round(3600 / series.cadence_s))
    event = AttackEvent(begin, min(begin + rows, int(end)), kind, int(rng.choice((-1, 1))))
    values = frame["net_load_kw"].to_numpy(dtype=np.float64)
    before = values[:first] if (~np.isnan(values[:first])).any() else values
    day_rows = round(86_400 / series.cadence_s)
    signal = Signal(values, day_rows, float(np.nanmean(np.abs(before))), 0.0)
    false = frame.assign(net_load_kw=inject(signal, [event], rng))
    told = BaseSeries(false, series.cadence_s, series.currency, series.price_source)
    return replace(day, scenario=day.scenario.with_series(told))


def _trusting(day: PreparedDay) -> PreparedDay:
    """The same with guardrails that ask for no trust, and without a detector."""
    area = day.knowledge.area
    limits = replace(area.limits, min_trust=0.0)
    return replace(day, knowledge=replace(day.knowledge, area=replace(area, limits=limits), detector=None))


def _cost_usd(day: PreparedDay, truth: DayInput) -> float:
    with TemporaryDirectory(prefix="smartgrid-attack-") as folder:
        return asyncio.run(cost_of_day(day, truth, Path(folder))).cost_usd
