"""``smartgrid stream``: telemetry from Kafka to forecasts."""

from pathlib import Path
from typing import Annotated

import typer

from smartgrid.cli.kafka_options import BrokersOption, PrefixOption
from smartgrid.cli.options import StateOption
from smartgrid.cli.output import console


def stream(
    group: Annotated[
        str, typer.Option("--group", help="Consumer group; its processes share the partitions.")
    ] = "smartgrid-stream",
    model: Annotated[
        Path | None, typer.Option("--model", help="Model directory; the state's model otherwise.")
    ] = None,
    brokers: BrokersOption = None,
    prefix: PrefixOption = "",
    state: StateOption = None,
) -> None:
    """Forecast for every pulse on the telemetry topic, until SIGTERM or Ctrl-C."""
    from pipeline.engine import BatchReport, StreamEngine
    from pipeline.kafka_stream import KafkaStream
    from pipeline.model import ForecastModel
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.series_store import store_name, stream_store
    from smartgrid.settings import load_settings
    from smartgrid.stopping import stop_signal

    settings = load_settings(state=state)
    learnt = ForecastModel.load(model or settings.model_dir)
    connection = kafka_connection(settings, brokers)
    total = BatchReport()
    with (
        stop_signal() as stopped,
        stream_store(settings) as store,
        KafkaStream(connection, group=group, prefix=prefix) as transport,
    ):
        console.print(f"group {group}, writes to {store_name(settings)}; stop with Ctrl-C", highlight=False)
        engine = StreamEngine(transport, store, learnt)
        while not stopped.is_set():
            total += engine.run_once()
    console.print(
        f"{total.polled} records: {total.forecasts} forecasts, {total.duplicates} duplicates, "
        f"{total.dead_letters} dead letters; {total.rebuilt} read again to rebuild the state",
        highlight=False,
    )
