"""What ``bench scale`` says: tables, on a terminal or as Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isnan

from smartgrid.bench.scale import Scale
from smartgrid.bench.scale_capacity import InfluxNeed, Need
from smartgrid.bench.scale_model import TOLERANCE_PCT


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Attributes:
        title: above it.
        names: of the columns.
        rows: texts.
    """

    title: str
    names: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def markdown(self) -> str:
        """As Markdown; the first column to the left, figures to the right."""
        lines = [self.names, ("---", *("---:" for _ in self.names[1:])), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sheets(scale: Scale) -> list[Sheet]:
    """All tables."""
    return [
        _costs(scale),
        _runs(scale),
        _predicted(scale),
        _compared(scale),
        _needs(scale),
        _full(scale),
        _outlook(scale),
    ]


def markdown(scale: Scale) -> str:
    """All tables, as `docs/scale.md` holds them."""
    return "\n\n".join([*(sheet.markdown() for sheet in sheets(scale)), verdict(scale)]) + "\n"


def verdict(scale: Scale) -> str:
    """Whether the model holds, and how busy the machine was."""
    worst = max(abs(prediction.error_pct) for prediction in scale.predictions)
    measured = scale.measured
    return (
        f"{'Holds' if scale.holds else 'DOES NOT HOLD'}: the worst prediction is {worst:.0f} % off, "
        f"{TOLERANCE_PCT:.0f} % are allowed. {measured.cores} cores, load average "
        f"{measured.load_average:.1f} at the start."
    )


def document(scale: Scale) -> dict[str, object]:
    """Everything, as ``--json`` prints it."""
    return {
        "holds": scale.holds,
        "tolerance_pct": TOLERANCE_PCT,
        "model": asdict(scale.model),
        "predictions": [{**asdict(found), "error_pct": found.error_pct} for found in scale.predictions],
        "failure": [{**asdict(found), "error_pct": found.error_pct} for found in scale.compared],
        "assumptions": asdict(scale.costs.assumed),
        "needs": [asdict(found) for found in scale.needs],
        "full": [asdict(found) for found in scale.full],
        "outlook": [asdict(found) for found in scale.outlooks],
        "measured": asdict(scale.measured),
    }


def _costs(scale: Scale) -> Sheet:
    model, wire, influx = scale.model, scale.measured.wire, scale.measured.influx
    curve = model.worker_us
    rows = [
        ("CPU of a worker, µs an event", f"{curve.event_us:.2f}"),
        ("… and a pass through the arrays, µs", f"{curve.pass_us:.0f}"),
        ("… and a site's row into the caches, µs", f"{curve.row_us:.2f}"),
        (
            "of that in the thread that runs Python, µs an event at 100,000 sites",
            f"{model.main_us.at(100_000):.2f}",
        ),
        ("share of the time that this thread computes", f"{model.busy:.0%}"),
        ("what two workers get done of what threads and cores allow", f"{model.contention:.0%}"),
        (
            "CPU of the broker, µs an event handed out and its forecast taken",
            _number(None if wire.broker_in_us is None else model.broker_us, ".2f"),
        ),
        ("CPU of the broker to take an event, µs", _number(wire.broker_in_us, ".2f")),
        ("a record that only rebuilds a state, µs of a worker's time", f"{scale.rebuild_us:.2f}"),
        ("events/s of a worker without a store, on cores of its own", f"{scale.costs.bare_per_s:,.0f}"),
        ("events/s of a worker that writes to InfluxDB", _stored(scale)),
        ("state of a site, bytes", f"{scale.costs.state_bytes_per_site:,.0f}"),
        (
            "telemetry, bytes of key and value / on the wire",
            _bytes(wire.telemetry.payload, wire.telemetry.wire),
        ),
        ("forecast, bytes of key and value / on the wire", _bytes(wire.forecast.payload, wire.forecast.wire)),
        *(
            (f"ledger on {rate.kind}, transactions/s", f"{rate.transactions_per_s:,.0f}")
            for rate in scale.measured.ledgers
        ),
    ]
    if influx is not None:
        rows += [
            ("InfluxDB, one writer, points/s", f"{influx.points_per_s:,.0f}"),
            ("… CPU of the writer, µs a point", f"{influx.writer_us:.1f}"),
            ("… CPU of the server, µs a point", _number(influx.server_us, ".1f")),
            ("… series a site", f"{influx.series_per_site}"),
            ("… to read a site's 14 days of slots, ms", f"{influx.recall_ms:.1f}"),
        ]
    return Sheet("Measured costs", ("cost", "figure"), rows)


def _runs(scale: Scale) -> Sheet:
    names = ("sites", "workers", "for", "events/s", "worker µs", "Python µs", "busy", "broker µs")
    uses = [("fit", run) for run in scale.measured.fit] + [("test", run) for run in scale.measured.unseen]
    rows = [
        (
            f"{run.sites:,}",
            f"{run.workers}",
            use,
            f"{run.events_per_s:,.0f}",
            f"{run.worker_us:.2f}",
            f"{run.main_us:.2f}",
            f"{run.busy:.0%}",
            _number(run.broker_us, ".2f"),
        )
        for use, run in uses
    ]
    return Sheet("Runs: CPU µs an event, and how busy a worker's Python thread was", names, rows)


def _predicted(scale: Scale) -> Sheet:
    names = (
        "sites",
        "workers",
        "predicted events/s",
        "measured",
        "error %",
        "predicted worker µs",
        "measured",
    )
    rows = [
        (
            f"{found.sites:,}",
            f"{found.workers}",
            f"{found.predicted_per_s:,.0f}",
            f"{found.measured_per_s:,.0f}",
            f"{found.error_pct:+.1f}",
            f"{found.predicted_us:.2f}",
            f"{found.measured_us:.2f}",
        )
        for found in scale.predictions
    ]
    return Sheet("Predicted, at numbers of sites that were not in the fit", names, rows)


def _compared(scale: Scale) -> Sheet:
    plan = scale.measured.failure_plan
    names = ("kill -9 for one of two workers", "simulated, mean", "from", "to", "measured", "error %")
    rows = [
        (
            found.what,
            *(_figure(value) for value in (found.simulated, found.low, found.high, found.measured)),
            "–" if isnan(found.error_pct) else f"{found.error_pct:+.0f}",
        )
        for found in scale.compared
    ]
    title = f"A lost worker, {plan.sites:,} sites at {plan.rate_per_s:,.0f} events/s: simulated and measured"
    return Sheet(title, names, rows)


def _needs(scale: Scale) -> Sheet:
    a, needs = scale.costs.assumed, scale.needs
    lines: list[tuple[str, Iterable[str]]] = [
        ("events/s", (f"{found.events_per_s:,.0f}" for found in needs)),
        ("stream workers", (f"{found.workers:,}" for found in needs)),
        ("partitions of the telemetry", (f"{found.partitions:,}" for found in needs)),
        ("sites' states of all workers, GB", (f"{found.state_gb:,.2f}" for found in needs)),
        ("into the brokers, MB/s", (f"{found.in_mb_s:,.1f}" for found in needs)),
        ("out of the brokers, MB/s", (f"{found.out_mb_s:,.1f}" for found in needs)),
        (f"log of {a.log_h:g} h, {a.replication} copies, TB", (f"{found.log_tb:,.2f}" for found in needs)),
        ("cores of the brokers", (_number(found.broker_cores, ",.1f") for found in needs)),
        ("points/s into InfluxDB", (_influx(found, lambda db: f"{db.points_per_s:,.0f}") for found in needs)),
        ("series in InfluxDB", (_influx(found, lambda db: f"{db.series:,}") for found in needs)),
        (
            "to read the slots of a worker's sites, min",
            (_influx(found, lambda db: f"{db.recall_min:,.0f}") for found in needs),
        ),
        ("plants", (f"{found.plants:,}" for found in needs)),
        ("ledger transactions/s", (f"{found.transactions_per_s:,.1f}" for found in needs)),
        ("ledgers", (f"{found.ledgers:,}" for found in needs)),
        ("sites of a worker", (f"{found.worker_sites:,.0f}" for found in needs)),
        ("machines for workers", (f"{found.worker_machines:,}" for found in needs)),
        ("machines for brokers", (_number(found.broker_machines, ",.0f") for found in needs)),
        ("machines for InfluxDB", (_influx(found, lambda db: f"{db.machines:,}") for found in needs)),
    ]
    names = ("sites", *(f"{found.sites:,}" for found in needs))
    machine = f"machines of {a.machine_cores} cores at {a.load_share:.0%} load"
    title = f"Needed at a pulse of {a.pulse_s:g} s, {machine}"
    return Sheet(title, names, [(name, *figures) for name, figures in lines])


def _full(scale: Scale) -> Sheet:
    rows = [(found.part, f"{found.sites:,.0f}") for found in scale.full]
    return Sheet("Where each part is full, at full load", ("part", "sites"), rows)


def _outlook(scale: Scale) -> Sheet:
    names = ("fault", "longest wait for a forecast, s", "mean lag of all, s", "back after, s")
    rows = [
        (found.fault, f"{found.waited_s:,.0f}", f"{found.lag_s:,.1f}", _number(found.back_s, ",.0f"))
        for found in scale.outlooks
    ]
    first = scale.outlooks[0]
    title = f"Simulated: {first.sites:,} sites, {first.workers} workers, {first.partitions} partitions"
    return Sheet(title, names, rows)


def _influx(found: Need, text: Callable[[InfluxNeed], str]) -> str:
    return "–" if found.influx is None else text(found.influx)


def _stored(scale: Scale) -> str:
    return "–" if scale.measured.influx is None else f"{scale.costs.worker_per_s:,.0f}"


def _number(value: float | None, shape: str) -> str:
    return "–" if value is None else format(value, shape)


def _figure(value: float) -> str:
    if isnan(value):
        return "never"
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.1f}"


def _bytes(payload: float, wire: float) -> str:
    return f"{payload:.0f} / {wire:.0f}"
