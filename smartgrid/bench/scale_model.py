"""What a worker costs at any number of sites, and what several get done on one machine's cores.

CPU time an event has three parts: what every event costs; passes, because a batch goes through the
arrays once for each pulse of a site in it, so that few sites in a batch mean many passes; and rows
that a batch brings into the processor's caches, up to one an event where a batch meets no site
twice. Throughput follows from it: a worker is done when its one Python thread is, and all workers
and the broker together cannot take more than the cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from scipy.optimize import nnls

from pipeline.engine import BATCH_RECORDS
from smartgrid.bench.stream_topics import PARTITIONS

TOLERANCE_PCT: Final = 20.0
"""How far a prediction may be from what is measured."""
_MEGA: Final = 1e6


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run.

    Attributes:
        sites: all of the topic, whatever the number of workers.
        workers: that ran at once.
        events: that they processed together.
        events_per_s: together, by the wall clock.
        main_us: CPU µs an event of the threads that run Python.
        worker_us: of all threads of the workers.
        broker_us: of the broker, if it runs on this machine.
        rebuild_us: CPU µs of those threads for a record that only rebuilds a state.
        state_bytes_per_site: of the sites' arrays.
    """

    sites: int
    workers: int
    events: int
    events_per_s: float
    main_us: float
    worker_us: float
    broker_us: float | None
    rebuild_us: float
    state_bytes_per_site: float

    @property
    def busy(self) -> float:
        """Share of the time that a worker's Python thread computes; low where others took its core."""
        return self.main_us * self.events_per_s / self.workers / _MEGA


@dataclass(frozen=True, slots=True)
class CostCurve:
    """CPU µs an event by the number of sites; never negative parts.

    Attributes:
        event_us: of every event.
        pass_us: of a batch's pass through the arrays.
        row_us: of a site's row that a batch brings into the caches.
    """

    event_us: float
    pass_us: float
    row_us: float

    @classmethod
    def fit(cls, points: Sequence[tuple[int, float]]) -> "CostCurve":
        """The curve through measured (sites, µs), by least squares of the relative errors."""
        shapes = np.array([_shape(sites) for sites, _ in points])
        measured_us = np.array([cost_us for _, cost_us in points])
        found, _ = nnls(shapes / measured_us[:, None], np.ones(len(points)))
        return cls(*found.tolist())

    def at(self, sites: int) -> float:
        """CPU µs an event."""
        each, passes, rows = _shape(sites)
        return self.event_us * each + self.pass_us * passes + self.row_us * rows


def _shape(sites: int) -> tuple[float, float, float]:
    """Of an event: itself, its share of passes, and of rows brought in; a batch is of one partition."""
    of_partition = max(1.0, sites / PARTITIONS)
    return 1.0, 1.0 / min(of_partition, BATCH_RECORDS), min(1.0, of_partition / BATCH_RECORDS)


@dataclass(frozen=True, slots=True)
class CapacityModel:
    """Predicts throughput.

    Attributes:
        cores: of the machine, shared by workers and the broker.
        main_us: of a worker's Python thread.
        worker_us: of all its threads.
        broker_us: CPU µs an event of the broker; 0 where it runs elsewhere.
        busy: share of the time that a lone worker's Python thread computes; the rest it waits for
            deliveries and commits.
        contention: what two workers get done, of what their threads and the cores would allow.
    """

    cores: int
    main_us: CostCurve
    worker_us: CostCurve
    broker_us: float
    busy: float
    contention: float

    @classmethod
    def fit(cls, runs: Sequence[Run], cores: int) -> "CapacityModel":
        """From runs of one worker at several numbers of sites, and at least one of two workers."""
        lone, several = [run for run in runs if run.workers == 1], [run for run in runs if run.workers > 1]
        bare = cls(
            cores,
            CostCurve.fit([(run.sites, run.main_us) for run in lone]),
            CostCurve.fit([(run.sites, run.worker_us) for run in lone]),
            median(run.broker_us or 0.0 for run in runs),
            median(run.busy for run in lone),
            1.0,
        )
        reached = median(run.events_per_s / bare.events_per_s(run.sites, run.workers) for run in several)
        return cls(cores, bare.main_us, bare.worker_us, bare.broker_us, bare.busy, reached)

    def events_per_s(self, sites: int, workers: int) -> float:
        """What so many workers of one machine do together at so many sites."""
        by_threads = workers * self.busy * _MEGA / self.main_us.at(sites)
        by_cores = self.cores * _MEGA / self.core_us(sites)
        return min(by_threads, by_cores) * (1.0 if workers == 1 else self.contention)

    def core_us(self, sites: int) -> float:
        """CPU µs of the machine's cores an event: of the worker and of the broker."""
        return self.worker_us.at(sites) + self.broker_us


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said of runs that it had not seen, and what was measured then, as medians.

    Attributes:
        predicted_per_s, measured_per_s: events a second by the wall clock.
        predicted_us, measured_us: CPU µs of a worker an event, which a busy machine disturbs less.
    """

    sites: int
    workers: int
    predicted_per_s: float
    measured_per_s: float
    predicted_us: float
    measured_us: float

    @property
    def error_pct(self) -> float:
        """Of the measured, positive where too much was promised."""
        return 100.0 * (self.predicted_per_s / self.measured_per_s - 1.0)

    @property
    def holds(self) -> bool:
        """Whether it is near enough."""
        return abs(self.error_pct) <= TOLERANCE_PCT


def predictions(model: CapacityModel, unseen: Sequence[Run]) -> list[Prediction]:
    """One a number of sites and workers, against the median of its runs."""
    kinds: dict[tuple[int, int], list[Run]] = {}
    for run in unseen:
        kinds.setdefault((run.sites, run.workers), []).append(run)
    return [
        Prediction(
            sites,
            workers,
            model.events_per_s(sites, workers),
            median(run.events_per_s for run in runs),
            model.worker_us.at(sites),
            median(run.worker_us for run in runs),
        )
        for (sites, workers), runs in kinds.items()
    ]
