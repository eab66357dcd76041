"""``smartgrid produce``: telemetry onto Kafka."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartgrid.cli.kafka_options import BrokersOption, PrefixOption
from smartgrid.cli.options import JsonOption, MapOption, StateOption, TzOption
from smartgrid.cli.output import errors, print_json
from smartgrid.cli.role import announce, start_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grid.telemetry import Telemetry
    from smartgrid.live.areas import Area


def produce(
    replay: Annotated[Path | None, typer.Option("--replay", help="CSV whose rows are published.")] = None,
    iso: Annotated[
        str | None, typer.Option("--iso", help="Publish the live telemetry of CAISO, ERCOT or NYISO instead.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="Its site: area for a replay, the operator's name for --iso.")
    ] = None,
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
    """Publish a recorded file, a live area or simulated sites on the telemetry topic, until told to stop."""
    from functools import partial

    from pipeline.kafka_writer import KafkaWriter
    from smartgrid.cli.probes import alive_and_ready, probes
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.live.role import produce_live
    from smartgrid.producing import publish_paced
    from smartgrid.stopping import stop_signal

    settings = start_role(state=state)
    area = None if iso is None else _area(iso, replay, simulate, rate, seconds)
    pulses = () if area else _pulses(replay, site or "area", simulate, rate, seconds, mapping or [], tz)
    writer = KafkaWriter(kafka_connection(settings, brokers), prefix=prefix)
    # Ready while it runs: a delivery that fails ends it.
    with stop_signal() as stopped, probes(settings, partial(alive_and_ready, list)):
        if area is None:
            counts = {"published": publish_paced(writer, pulses, rate, stopped)}
        else:
            announce(settings, f"{area.name}: one question per feed every 5 min; stop with Ctrl-C", errors)
            counts = dict(produce_live(settings, area, site or area.site, writer, stopped))
    if as_json:
        print_json(counts)
    else:
        more = "".join(f", {count} {kind}" for kind, count in counts.items() if kind != "published")
        announce(settings, f"published {counts['published']} pulses{more}")


def _area(
    iso: str, replay: Path | None, simulate: int | None, rate: float | None, seconds: float | None
) -> "Area":
    from smartgrid.errors import ScenarioError
    from smartgrid.live.areas import area_named

    if any(given is not None for given in (replay, simulate, rate, seconds)):
        raise ScenarioError("--iso goes without --replay, --simulate, --rate and --seconds; leave those out")
    return area_named(iso)


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
        raise ScenarioError("give --replay FILE, --iso AREA, or --simulate N_SITES with --rate R")
    start = simulated_start(datetime.now(UTC), simulate, rate, seconds)
    pulses = simulated_pulses(simulate, start, simulated_step_s(simulate, rate))
    return pulses if seconds is None else islice(pulses, round(seconds * rate))
