"""What operators watch: Prometheus metrics of the stream, and whether the process is alive and ready."""

from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dispatch.errors import DispatchError
from pipeline.engine import BatchReport
from pipeline.errors import PipelineError
from smartgrid.area import Workplace

BATCH_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class StreamMetrics:
    """Counts what the stream does; one registry a process, without globals."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(
            "smartgrid_stream_events",
            "Telemetry records, by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self._forecasts = Counter("smartgrid_stream_forecasts", "Forecasts issued", registry=self.registry)
        self._seconds = Histogram(
            "smartgrid_stream_batch_seconds",
            "From the first record read to the last one committed",
            buckets=BATCH_BUCKETS_S,
            registry=self.registry,
        )

    def count(self, report: BatchReport, seconds: float) -> None:
        """Take what a drain of the stream did, and how long it took; an empty one is not counted."""
        if not report.polled:
            return
        for outcome in ("accepted", "duplicates", "dead_letters"):
            self._events.labels(outcome).inc(getattr(report, outcome))
        self._forecasts.inc(report.forecasts)
        self._seconds.observe(seconds)

    def watch(self, workplace: Workplace) -> None:
        """Show the age of each site's newest pulse and forecast, read when somebody asks; NaN without one."""
        pulse = Gauge(
            "smartgrid_telemetry_age_seconds", "Age of the newest pulse", ["site"], registry=self.registry
        )
        forecast = Gauge(
            "smartgrid_forecast_age_seconds", "Age of the newest forecast", ["site"], registry=self.registry
        )
        for site in workplace.area.sites:
            pulse.labels(site).set_function(partial(_pulse_age_s, workplace, site))
            forecast.labels(site).set_function(partial(_forecast_age_s, workplace, site))


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
    """``/metrics`` (Prometheus), ``/healthz`` (alive) and ``/readyz`` (503 with the reasons when not)."""

    async def show_metrics(_request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_request: Request) -> Response:
        reasons = await run_in_threadpool(unready, workplace)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    return [Route("/metrics", show_metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
