"""``smartgrid stream``: telemetry from Kafka to forecasts."""

from pathlib import Path
from typing import Annotated

import typer

from smartgrid.cli.kafka_options import BrokersOption, PrefixOption
from smartgrid.cli.options import StateOption
from smartgrid.cli.probes import probes
from smartgrid.cli.role import announce, start_role


def stream(
    group: Annotated[
        str, typer.Option("--group", help="Consumer group; its processes share the partitions.")
    ] = "smartgrid-stream",
    model: Annotated[
        Path | None, typer.Option("--model", help="Model directory; the state's model otherwise.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", help="Port of /metrics, /healthz and /readyz; off where not given."),
    ] = None,
    brokers: BrokersOption = None,
    prefix: PrefixOption = "",
    state: StateOption = None,
) -> None:
    """Forecast for every pulse on the telemetry topic, until SIGTERM or Ctrl-C."""
    import time
    from functools import partial

    from pipeline.engine import BatchReport, StreamEngine
    from pipeline.forecasting.stream_forecaster import load_stream_model
    from pipeline.kafka_stream import KafkaStream
    from smartgrid.collector import look_for_cycles_rarely
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.model_following import ModelFollower
    from smartgrid.observability import StreamMetrics, probe_routes
    from smartgrid.series_store import store_name, stream_store
    from smartgrid.site_settings import site_rules
    from smartgrid.stopping import stop_signal
    from smartgrid.store_probe import store_problem
    from smartgrid.stream_watch import StreamWatch

    settings = start_role(state=state, metrics_port=metrics_port)
    models = model or settings.model_dir
    following, learnt = ModelFollower(models), load_stream_model(models)
    connection = kafka_connection(settings, brokers)
    metrics = StreamMetrics()
    watch = StreamWatch(metrics, partial(store_problem, settings))
    total = BatchReport()
    with (
        stop_signal() as stopped,
        stream_store(settings) as store,
        KafkaStream(connection, group=group, prefix=prefix) as transport,
        probes(settings, partial(probe_routes, metrics, watch.unready)),
    ):
        announce(settings, f"group {group}, writes to {store_name(settings)}; stop with Ctrl-C")
        look_for_cycles_rarely()
        engine = StreamEngine(
            transport, store, learnt, sites=site_rules(settings.sites), lateness_s=settings.lateness_s
        )
        following.equip(engine)
        while not stopped.is_set():
            began_s = time.monotonic()
            following.follow(engine)
            report = engine.run_once()
            watch.round_done(report, time.monotonic() - began_s, transport)
            total += report
    announce(
        settings,
        f"{total.polled} records: {total.forecasts} forecasts, {total.duplicates} duplicates, "
        f"{total.dead_letters} dead letters; {total.rebuilt} read again to rebuild the state",
    )
