"""The reference of the metrics."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.metrics_core import Metric

from dispatch.ledger import Ledger
from grid.clock import RealClock
from pipeline.engine import BatchReport
from pipeline.sqlite_store import SqliteStore
from policies.limits import Limits, Scale
from smartgrid.area import Area, Workplace
from smartgrid.observability import StreamMetrics
from smartgrid.reference.markdown import code, page, table

INTRODUCTION = """
A running `up` or `serve` answers Prometheus at `/metrics`, and probes at `/healthz` (the process lives) and
`/readyz` (503 with the reasons where it cannot serve), all on the port of the console. A `stream` does so on
`--metrics-port`, with the metrics of the stream alone. Ages are in seconds, by the plant's clock where there
is a plant. [Operations](../operations.md) tells which of them to watch.
"""

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def metrics_page() -> str:
    """Every metric that a process with a plant shows."""
    lines = [
        (", ".join(code(name) for name in _names(metric)), metric.type, _labels(metric), metric.documentation)
        for metric in _metrics()
    ]
    return page("Metrics", INTRODUCTION, table(("metric", "kind", "labels", "what it is"), lines))


def _metrics() -> list[Metric]:
    """Those of a plant that has just begun."""
    metrics = StreamMetrics()
    metrics.count(BatchReport(polled=1, dead_letters=1, reasons={"schema": 1}, newest={0: 0.0}), 0.0)
    metrics.assigned({0: 0})
    area = Area(Limits().resolve(Scale(1.0, 1.0, 5.0)), "UTC")
    with (
        TemporaryDirectory() as folder,
        SqliteStore(Path(folder) / "telemetry.db") as store,
        Ledger(Path(folder)) as ledger,
    ):
        metrics.watch(Workplace(area, ledger=ledger, reader=store, clock=RealClock(), tools=()))
        return list(metrics.registry.collect())


def _names(metric: Metric) -> Iterator[str]:
    for suffix in _SUFFIXES.get(metric.type, ("",)):
        yield f"{metric.name}{suffix}"


def _labels(metric: Metric) -> str:
    """Those of its samples; a family that has none yet keeps their names to itself."""
    known = set(getattr(metric, "_labelnames", ()))
    known |= {label for sample in metric.samples for label in sample.labels if label != "le"}
    return ", ".join(code(label) for label in sorted(known))
