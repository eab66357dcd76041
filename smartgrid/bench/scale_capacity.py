"""From measured costs to what many sites need, and the number of sites at which each part is full."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from smartgrid.bench.scale_measure import Wire
from smartgrid.bench.scale_model import CapacityModel
from smartgrid.bench.scale_stores import InfluxRate, LedgerRate
from smartgrid.bench.stream_topics import PARTITIONS

KAFKA_PARTITIONS_PER_BROKER: Final = 4_000
"""Replicas included; Kafka's own recommendation (KIP-578)."""
KAFKA_PARTITIONS_PER_CLUSTER: Final = 200_000
"""The same."""
INFLUX_SERIES: Final = 10_000_000
"""Of one open-source server; InfluxData's sizing guide."""
INFLUX_FIELDS_PER_S: Final = 750_000
"""The same."""
_MANY_SITES: Final = 100_000
"""A worker's cost is taken from here on: it hardly changes with more."""
_MICRO: Final = 1e-6
_TOPICS: Final = 3
_POINTS: Final = 2.0
"""Of an event in InfluxDB: the pulse and its forecast."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What was not measured.

    Attributes:
        pulse_s: seconds between a site's pulses.
        load_share: of what a part can do, so much is planned for; the rest catches up after failures.
        machine_cores: of a machine, each as fast as those measured.
        replication: copies of each record, and so of the broker's work.
        log_h: hours that records stay; a worker that starts reads up to one hour of it again.
        sites_per_plant: a plant is an area with one owner of its devices, and one supervisor.
        transactions_per_pulse: of a plant in its ledger, at rest: the owner's report, the supervisor's sign
            of life.
        partitions_per_worker: of the telemetry topic, so that a lost worker's share spreads.
    """

    pulse_s: float = 5.0
    load_share: float = 0.5
    machine_cores: int = 16
    replication: int = 3
    log_h: float = 6.0
    sites_per_plant: int = 1_000
    transactions_per_pulse: int = 2
    partitions_per_worker: int = 6


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured.

    Attributes:
        model: of the workers.
        wire: of the records.
        state_bytes_per_site: of a worker.
        influx: None where none was named.
        ledgers: by kind.
    """

    model: CapacityModel
    wire: Wire
    state_bytes_per_site: float
    influx: InfluxRate | None
    ledgers: list[LedgerRate]
    assumed: Assumptions = field(default_factory=Assumptions)

    @property
    def bare_per_s(self) -> float:
        """Events a second of a worker without a store, that has the cores that it wants."""
        return self.model.busy * 1e6 / self.model.main_us.at(_MANY_SITES)

    @property
    def worker_per_s(self) -> float:
        """The same of one that writes to InfluxDB, and waits for it after each batch."""
        stored_s = 0.0 if self.influx is None else _POINTS / self.influx.points_per_s
        return 1.0 / (1.0 / self.bare_per_s + stored_s)

    @property
    def worker_cores(self) -> float:
        """Cores that it then takes."""
        stored_us = 0.0 if self.influx is None else _POINTS * self.influx.writer_us
        return self.worker_per_s * (self.model.worker_us.at(_MANY_SITES) + stored_us) * _MICRO

    @property
    def broker_us(self) -> float | None:
        """CPU µs of all brokers an event: taken, handed to a worker, its forecast taken; each copy again.

        None where the broker ran elsewhere.
        """
        taken_us = self.wire.broker_in_us
        return None if taken_us is None else (self.model.broker_us + taken_us) * self.assumed.replication

    @property
    def influx_per_s(self) -> float | None:
        """Points a second of one server on one machine: by its cores, but no more than its maker says."""
        if self.influx is None or self.influx.server_us is None:
            return None
        by_cores = self.assumed.machine_cores / (self.influx.server_us * _MICRO)
        return min(by_cores, INFLUX_FIELDS_PER_S / self.influx.fields_per_point)


@dataclass(frozen=True, slots=True)
class InfluxNeed:
    """What a number of sites asks of InfluxDB.

    Attributes:
        points_per_s: written.
        series: that it keeps an index of.
        machines: by writes or by series, whichever needs more.
        recall_min: minutes to read the seasonal memory of one worker's sites, one after the other.
    """

    points_per_s: float
    series: int
    machines: int
    recall_min: float


@dataclass(frozen=True, slots=True)
class Need:
    """What a number of sites needs.

    Attributes:
        worker_sites: sites of a worker.
        worker_machines, broker_machines: of the assumed size, at the assumed load.
        broker_cores: with it None where the broker ran on another machine than the bench.
        state_gb: of all workers.
        in_mb_s, out_mb_s: into and out of the brokers; copies between them are left out.
        log_tb: on the brokers' disks, copies included.
        influx: None where it was not measured.
        plants: areas.
        ledgers: databases, of the fastest kind that was measured.
    """

    sites: int
    events_per_s: float
    workers: int
    worker_sites: float
    worker_machines: int
    partitions: int
    state_gb: float
    broker_cores: float | None
    broker_machines: int | None
    in_mb_s: float
    out_mb_s: float
    log_tb: float
    influx: InfluxNeed | None
    plants: int
    transactions_per_s: float
    ledgers: int


def need(costs: Costs, sites: int) -> Need:
    """What so many sites need."""
    a, wire = costs.assumed, costs.wire
    per_s = sites / a.pulse_s
    workers = _workers(costs, sites)
    telemetry_b, forecast_b = wire.telemetry.wire, wire.forecast.wire
    broker_cores = None if costs.broker_us is None else per_s * costs.broker_us * _MICRO / a.load_share
    plants = ceil(sites / a.sites_per_plant)
    transactions_per_s = plants * a.transactions_per_pulse / a.pulse_s
    ledger_per_s = max(rate.transactions_per_s for rate in costs.ledgers) * a.load_share
    return Need(
        sites=sites,
        events_per_s=per_s,
        workers=workers,
        worker_sites=sites / workers,
        worker_machines=max(2, ceil(workers * costs.worker_cores / a.machine_cores)),
        partitions=max(PARTITIONS, workers * a.partitions_per_worker),
        state_gb=sites * costs.state_bytes_per_site / 1e9,
        broker_cores=broker_cores,
        broker_machines=None
        if broker_cores is None
        else max(a.replication, ceil(broker_cores / a.machine_cores)),
        in_mb_s=per_s * (telemetry_b + forecast_b) / 1e6,
        out_mb_s=per_s * (telemetry_b + forecast_b) / 1e6,
        log_tb=per_s * (telemetry_b + forecast_b) * a.log_h * 3600.0 * a.replication / 1e12,
        influx=_influx(costs, sites),
        plants=plants,
        transactions_per_s=transactions_per_s,
        ledgers=ceil(transactions_per_s / ledger_per_s),
    )


def _workers(costs: Costs, sites: int) -> int:
    """Two at least, so that one may fail."""
    per_s = sites / costs.assumed.pulse_s
    return max(2, ceil(per_s / (costs.worker_per_s * costs.assumed.load_share)))


def _influx(costs: Costs, sites: int) -> InfluxNeed | None:
    capacity_per_s = costs.influx_per_s
    if costs.influx is None or capacity_per_s is None:
        return None
    per_s, series = _POINTS * sites / costs.assumed.pulse_s, sites * costs.influx.series_per_site
    by_writes = ceil(per_s / (capacity_per_s * costs.assumed.load_share))
    by_series = ceil(series / INFLUX_SERIES)
    recall_min = sites / _workers(costs, sites) * costs.influx.recall_ms * 1e-3 / 60.0
    return InfluxNeed(per_s, series, max(by_writes, by_series), recall_min)


@dataclass(frozen=True, slots=True)
class Full:
    """A part that is full, at so many sites; load is not halved here: this is where it breaks."""

    part: str
    sites: float


def full(costs: Costs) -> list[Full]:
    """Each part's end, the nearest first."""
    return sorted(
        [*_stream_ends(costs), *_ledger_ends(costs), *_influx_ends(costs)], key=lambda end: end.sites
    )


def _stream_ends(costs: Costs) -> Iterator[Full]:
    a, cores, worker_sites = costs.assumed, costs.model.cores, costs.worker_per_s * costs.assumed.pulse_s
    yield Full("one worker without a store", costs.bare_per_s * a.pulse_s)
    yield Full(f"{PARTITIONS} partitions, a worker each", PARTITIONS * worker_sites)
    shared_us = costs.model.core_us(_MANY_SITES) + (costs.wire.broker_in_us or 0.0)
    yield Full(
        f"the measured machine of {cores} cores: workers without a store, and one broker",
        cores * 1e6 / shared_us * a.pulse_s,
    )
    if costs.broker_us is not None:
        per_s = a.machine_cores * 1e6 * a.replication / costs.broker_us
        yield Full(f"one broker of {a.machine_cores} cores, one copy", per_s * a.pulse_s)
    partition_sites = worker_sites / a.partitions_per_worker / _TOPICS
    yield Full(
        f"partitions of {a.replication} brokers, {a.partitions_per_worker} a worker",
        KAFKA_PARTITIONS_PER_BROKER * partition_sites,
    )
    yield Full(
        "partitions of one Kafka cluster", KAFKA_PARTITIONS_PER_CLUSTER / a.replication * partition_sites
    )


def _ledger_ends(costs: Costs) -> Iterator[Full]:
    a = costs.assumed
    for rate in costs.ledgers:
        plants = rate.transactions_per_s * a.pulse_s / a.transactions_per_pulse
        yield Full(
            f"one ledger on {rate.kind}, a plant every {a.sites_per_plant:,} sites",
            plants * a.sites_per_plant,
        )


def _influx_ends(costs: Costs) -> Iterator[Full]:
    a, influx = costs.assumed, costs.influx
    if influx is None:
        return
    yield Full("one InfluxDB, by its series", INFLUX_SERIES / influx.series_per_site)
    yield Full("one worker that writes to InfluxDB", costs.worker_per_s * a.pulse_s)
    if (per_s := costs.influx_per_s) is not None:
        yield Full(f"one InfluxDB of {a.machine_cores} cores, by its writes", per_s / _POINTS * a.pulse_s)
