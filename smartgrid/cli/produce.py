"""``smartgrid produce``: telemetry onto Kafka."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartgrid.cli.kafka_options import BrokersOption, PrefixOption
from smartgrid.cli.options import JsonOption, MapOption, StateOption, TzOption
from smartgrid.cli.output import print_json
from smartgrid.cli.role import announce, start_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grid.telemetry import Telemetry


def produce(
    replay: Annotated[Path | None, typer.Option("--replay", help="CSV whose rows are published.")] = None,
    site: Annotated[str, typer.Option("--site", help="Site of the replayed rows.")] = "area",
    simulate: Annotated[
        int | None, typer.Option("--simulate", help="Publish so many simulated sites instead.", min=1)
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", help="Pulses per second; a replay's default is at once.", min=0.001),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="How long to simulate; without an end otherwise.", min=0.001),
    ] = None,
    brokers: BrokersOption = None,
    prefix: PrefixOption = "",
    mapping: MapOption = None,
    tz: TzOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a recorded file or simulated sites on the telemetry topic, until done or told to stop."""
    from pipeline.kafka_writer import KafkaWriter
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.producing import publish_paced
    from smartgrid.stopping import stop_signal

    settings = start_role(state=state)
    pulses = _pulses(replay, site, simulate, rate, seconds, mapping or [], tz)
    writer = KafkaWriter(kafka_connection(settings, brokers), prefix=prefix)
    with stop_signal() as stopped:
        count = publish_paced(writer, pulses, rate, stopped)
    if as_json:
        print_json({"published": count})
    else:
        announce(settings, f"published {count} pulses")


def _pulses(
    replay: Path | None,
    site: str,
    simulate: int | None,
    rate: float | None,
    seconds: float | None,
    mapping: list[str],
    tz: str | None,
) -> "Iterator[Telemetry]":
    from datetime import UTC, datetime
    from itertools import islice

    from grid.csv_columns import parse_mapping
    from grid.csv_series import read_csv_series
    from smartgrid.errors import ScenarioError
    from smartgrid.pulse_sources import series_pulses, simulated_pulses, simulated_start, simulated_step_s

    if replay is not None and simulate is None:
        return series_pulses(read_csv_series(replay, mapping=parse_mapping(mapping), tz=tz).series, site)
    if simulate is None or rate is None or replay is not None:
        raise ScenarioError("give either --replay FILE or --simulate N_SITES with --rate R")
    start = simulated_start(datetime.now(UTC), simulate, rate, seconds)
    pulses = simulated_pulses(simulate, start, simulated_step_s(simulate, rate))
    return pulses if seconds is None else islice(pulses, round(seconds * rate))
