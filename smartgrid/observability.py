"""What operators watch: Prometheus metrics of the stream, and whether the process is alive and ready."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dispatch.errors import DispatchError
from pipeline.engine import BatchReport
from pipeline.errors import PipelineError
from pipeline.forecasting.followed_drift import followed_drift
from smartgrid.area import Workplace

BATCH_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class StreamMetrics:
    """Counts what the stream does; one registry a process, without globals.

    Written by the stream's thread, read by that of a server.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(
            "smartgrid_stream_events",
            "Telemetry records, by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self._dead_letters = Counter(
            "smartgrid_stream_dead_letters",
            "Telemetry records that could not be used, by reason",
            ["reason"],
            registry=self.registry,
        )
        self._rebuilt = Counter(
            "smartgrid_stream_rebuilt_records",
            "Finished records that were read again to rebuild the state",
            registry=self.registry,
        )
        self._forecasts = Counter("smartgrid_stream_forecasts", "Forecasts issued", registry=self.registry)
        self._seconds = Histogram(
            "smartgrid_stream_batch_seconds",
            "A batch from the poll, which waits a little for a full one, to the commit",
            buckets=BATCH_BUCKETS_S,
            registry=self.registry,
        )
        self._present = _Present()
        self.registry.register(self._present)

    def count(self, report: BatchReport, seconds: float) -> None:
        """Take what a drain of the stream did, and how long it took; an empty one is not counted."""
        self._rebuilt.inc(report.rebuilt)
        if not report.polled:
            return
        for outcome in ("accepted", "duplicates", "dead_letters"):
            self._events.labels(outcome).inc(getattr(report, outcome))
        for reason, number in report.reasons.items():
            self._dead_letters.labels(reason).inc(number)
        self._forecasts.inc(report.forecasts)
        self._seconds.observe(seconds)
        self._present.accepted(report)

    def assigned(self, lag: Mapping[int, int]) -> None:
        """Take which partitions are read now, and how many records each is behind its log's end."""
        self._present.assigned(lag)

    def watch(self, workplace: Workplace) -> None:
        """Show the age of each site's newest pulse and forecast, read when somebody asks; NaN without one.

        From now on every age is by the plant's clock.
        """
        self._present.now_s = lambda: workplace.clock.now().timestamp()
        pulse = Gauge(
            "smartgrid_telemetry_age_seconds", "Age of the newest pulse", ["site"], registry=self.registry
        )
        forecast = Gauge(
            "smartgrid_forecast_age_seconds", "Age of the newest forecast", ["site"], registry=self.registry
        )
        self.registry.register(_Drift(workplace))
        for site in workplace.area.sites:
            pulse.labels(site).set_function(partial(_pulse_age_s, workplace, site))
            forecast.labels(site).set_function(partial(_forecast_age_s, workplace, site))


class _Present(Collector):
    """What holds at the moment somebody asks. Mappings are replaced, never changed: two threads see them."""

    def __init__(self) -> None:
        self.now_s: Callable[[], float] = time.time
        self._lag: dict[int, int] = {}
        self._newest_s: dict[int, float] = {}
        self._forecast_at_s = math.nan

    def accepted(self, report: BatchReport) -> None:
        later = {
            partition: max(ts_s, self._newest_s.get(partition, -math.inf))
            for partition, ts_s in report.newest.items()
        }
        self._newest_s = self._newest_s | later
        if report.forecasts:
            self._forecast_at_s = self.now_s()

    def assigned(self, lag: Mapping[int, int]) -> None:
        self._lag = dict(lag)
        self._newest_s = {partition: ts_s for partition, ts_s in self._newest_s.items() if partition in lag}

    def collect(self) -> Iterator[Metric]:
        now_s = self.now_s()
        lag = GaugeMetricFamily(
            "smartgrid_stream_lag_records", "Records behind the log's end", labels=["partition"]
        )
        for partition, records in self._lag.items():
            lag.add_metric([str(partition)], records)
        yield lag
        age = GaugeMetricFamily(
            "smartgrid_stream_event_age_seconds",
            "Age of the newest accepted event, by its own time stamp",
            labels=["partition"],
        )
        for partition, ts_s in self._newest_s.items():
            age.add_metric([str(partition)], now_s - ts_s)
        yield age
        yield GaugeMetricFamily(
            "smartgrid_stream_forecast_age_seconds",
            "Since this process issued a forecast; NaN before its first",
            value=now_s - self._forecast_at_s,
        )


class _Drift(Collector):
    """How good the sites' forecasts were of late; nothing of a site before any was judged."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace

    def collect(self) -> Iterator[Metric]:
        skill = GaugeMetricFamily(
            "smartgrid_forecast_skill", "1 - mean error / that of the reference", labels=["site", "reference"]
        )
        coverage = GaugeMetricFamily(
            "smartgrid_forecast_coverage",
            "Share of the changes in P10-P90 as the model gave them",
            labels=["site"],
        )
        factor = GaugeMetricFamily(
            "smartgrid_forecast_band_factor", "By how much the band is widened", labels=["site"]
        )
        degraded = GaugeMetricFamily(
            "smartgrid_forecast_degraded", "Whether the model should be trained again", labels=["site"]
        )
        drift, now = followed_drift(self._workplace.reader_view), self._workplace.clock.now()
        for site in self._workplace.area.sites.values():
            report = drift.report(site.name, site.cadence_s, now)
            if report.weight > 0.0:
                skill.add_metric([site.name, "persistence"], report.skill_persistence)
                skill.add_metric([site.name, "same time of past days"], report.skill_drift)
                coverage.add_metric([site.name], report.coverage)
                factor.add_metric([site.name], report.factor)
                degraded.add_metric([site.name], report.degraded)
        yield from (skill, coverage, factor, degraded)


def _pulse_age_s(workplace: Workplace, site: str) -> float:
    newest = workplace.reader.latest(site, 1)
    return _age_s(workplace, newest[-1].ts_utc) if newest else float("nan")


def _forecast_age_s(workplace: Workplace, site: str) -> float:
    newest = workplace.reader.latest_forecast(site)
    return float("nan") if newest is None else _age_s(workplace, newest.issued_at)


def _age_s(workplace: Workplace, ts_utc: datetime) -> float:
    return (workplace.clock.now() - ts_utc).total_seconds()


def unready(workplace: Workplace) -> list[str]:
    """Why this process cannot serve now; empty when it can."""
    try:
        age_s = workplace.observer.telemetry_age_s()
        with workplace.ledger.reading():
            pass
    except (PipelineError, DispatchError) as error:
        return [str(error)]
    limit_s = workplace.area.limits.max_age_s
    if age_s is None:
        return ["no pulse yet"]
    return [f"the newest pulse is {age_s:.0f} s old, allowed {limit_s:.0f} s"] if age_s > limit_s else []


def observability_routes(workplace: Workplace, metrics: StreamMetrics) -> list[Route]:
    """The probe routes of a process with a plant."""
    return probe_routes(metrics, partial(unready, workplace))


def probe_routes(metrics: StreamMetrics, unready: Callable[[], list[str]]) -> list[Route]:
    """``/metrics`` (Prometheus), ``/healthz`` (alive) and ``/readyz`` (503 with the reasons when not).

    Args:
        metrics: what to show.
        unready: why this process cannot serve now; called in a thread of its own.
    """

    async def show_metrics(_request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_request: Request) -> Response:
        reasons = await run_in_threadpool(unready)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    return [Route("/metrics", show_metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
