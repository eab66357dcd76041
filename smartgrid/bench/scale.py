"""``bench scale``: measures costs, fits the capacity model, and tests it on runs that it has not seen."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pipeline.influx_target import InfluxTarget
from pipeline.kafka_settings import KafkaConnection
from smartgrid.bench.scale_capacity import Costs, Full, Need, full, need
from smartgrid.bench.scale_failure import FailurePlan, FailureRun, measure_failure
from smartgrid.bench.scale_measure import Bench, Load, Wire, measure, measure_with_wire
from smartgrid.bench.scale_model import CapacityModel, Prediction, Run, predictions
from smartgrid.bench.scale_outlook import Compared, Outlook, compare, failure_scenario, outlook
from smartgrid.bench.scale_stores import InfluxRate, LedgerRate, influx_rate, ledger_rates
from smartgrid.bench.stream_model import bench_model
from smartgrid.bench.stream_worker import BenchError

SITES: Final = (10_000, 1_000_000, 100_000_000)
"""What the capacity is worked out for."""
CELL_SITES: Final = 1_000_000
"""A part of a larger system that stands for itself; failures are simulated in it."""


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """How much is measured.

    Attributes:
        fit: what the model is fitted to; one run of two workers at least.
        unseen: what it is tested on.
        events: of a run.
        tail_events: that stay unread behind them.
        failure: a worker's loss.
        store_s: how long InfluxDB is written to.
        ledger_s: how long each ledger.
    """

    fit: tuple[Load, ...] = (Load(1_000, (1, 1)), Load(10_000, (1, 2, 1, 2)), Load(100_000, (1,)))
    unseen: tuple[Load, ...] = (Load(3_000, (1, 2, 1, 2, 1, 2)), Load(30_000, (1, 2, 1, 2, 1, 2)))
    events: int = 200_000
    tail_events: int = 100_000
    failure: FailurePlan = field(default_factory=FailurePlan)
    store_s: float = 4.0
    ledger_s: float = 2.0


QUICK: Final = ScalePlan(
    fit=(Load(500, (1, 2)), Load(5_000, (1,))),
    unseen=(Load(2_000, (1, 2)),),
    events=40_000,
    tail_events=40_000,
    failure=FailurePlan(sites=200, rate_per_s=4_000.0, before_s=3.0, after_s=20.0),
    store_s=1.0,
    ledger_s=0.5,
)
"""A look at it; its figures scatter."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured, as it is kept in a file.

    Attributes:
        cores: that the machine has.
        load_average: others' load at the start, a one-minute average.
        fit, unseen: runs.
        wire: bytes of a record.
        failure_plan, failure: a worker's loss.
        influx: None where no server was named.
        ledgers: by kind.
    """

    cores: int
    load_average: float
    fit: list[Run]
    unseen: list[Run]
    wire: Wire
    failure_plan: FailurePlan
    failure: FailureRun
    influx: InfluxRate | None
    ledgers: list[LedgerRate]


_FILE: Final = TypeAdapter(Measured)


class Scale:
    """What the measurements mean; worked out anew from them each time."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured

    @cached_property
    def model(self) -> CapacityModel:
        """Fitted to the runs for it."""
        return CapacityModel.fit(self.measured.fit, self.measured.cores)

    @cached_property
    def costs(self) -> Costs:
        """All costs together."""
        found = self.measured
        bytes_per_site = median(run.state_bytes_per_site for run in found.fit)
        return Costs(self.model, found.wire, bytes_per_site, found.influx, found.ledgers)

    @cached_property
    def rebuild_us(self) -> float:
        """Wall µs of a record that only rebuilds, of a worker that waits as long as for any other."""
        return median(run.rebuild_us for run in self.measured.fit) / self.model.busy

    @cached_property
    def predictions(self) -> list[Prediction]:
        """Against the runs that the model has not seen."""
        return predictions(self.model, self.measured.unseen)

    @property
    def holds(self) -> bool:
        """Whether every prediction does."""
        return all(prediction.holds for prediction in self.predictions)

    @cached_property
    def compared(self) -> list[Compared]:
        """A worker's loss, simulated and measured."""
        plan, run = self.measured.failure_plan, self.measured.failure
        return compare(failure_scenario(self.costs, plan, run, self.rebuild_us), plan, run)

    @cached_property
    def needs(self) -> list[Need]:
        """What each of :data:`SITES` needs."""
        return [need(self.costs, sites) for sites in SITES]

    @cached_property
    def full(self) -> list[Full]:
        """Where each part ends."""
        return full(self.costs)

    @cached_property
    def outlooks(self) -> list[Outlook]:
        """Failures of a cell."""
        return outlook(self.costs, CELL_SITES, self.rebuild_us)


def bench_scale(
    connection: KafkaConnection,
    plan: ScalePlan,
    say: Callable[[str], None],
    *,
    influx: InfluxTarget | None = None,
    postgres_url: str | None = None,
) -> Measured:
    """Measure all of it, one after the other.

    Args:
        connection: the brokers.
        plan: how much.
        say: told what happens.
        influx: a server to write to, in a bucket of its own.
        postgres_url: a database to write to, in a schema of its own.

    Raises:
        BenchError: if a worker fails, or events or forecasts are missing.
        PipelineError: if brokers or InfluxDB do not answer.
        DispatchError: if a ledger cannot be used.
    """
    busy = os.getloadavg()[0]
    with TemporaryDirectory(prefix="smartgrid-bench-") as name:
        folder = Path(name)
        bench_model(None, folder, forecaster=False)
        bench = Bench(connection, folder, plan.events, plan.tail_events, say)
        first, *others = plan.fit
        fit, wire = measure_with_wire(bench, first)
        for load in others:
            fit += measure(bench, load)
        unseen = [run for load in plan.unseen for run in measure(bench, load)]
        failure = measure_failure(bench, plan.failure)
        say("stores")
        rate = None if influx is None else influx_rate(influx, plan.store_s)
        ledgers = ledger_rates(folder, postgres_url, plan.ledger_s)
    cores = os.cpu_count() or 1
    return Measured(cores, busy, fit, unseen, wire, plan.failure, failure, rate, ledgers)


def save(measured: Measured, file: Path) -> None:
    """Keep what was measured.

    Raises:
        BenchError: if the file cannot be written.
    """
    try:
        file.write_bytes(_FILE.dump_json(measured, indent=1))
    except OSError as error:
        raise BenchError(f"--out {file}: cannot be written ({error.strerror})") from error


def load(file: Path) -> Measured:
    """What was kept.

    Raises:
        BenchError: if the file cannot be read, or holds something else.
    """
    try:
        return _FILE.validate_json(file.read_bytes())
    except OSError as error:
        raise BenchError(f"--from {file}: cannot be read ({error.strerror}); make it with --out") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BenchError(f"--from {file}: {where}: {first['msg']}; make it anew with --out") from error
