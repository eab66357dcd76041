"""``smartgrid topics``: the topics on Kafka."""

from typing import Annotated

import typer
from rich.table import Table

from smartgrid.cli.kafka_options import BrokersOption, PrefixOption
from smartgrid.cli.options import JsonOption, StateOption, duration_s
from smartgrid.cli.output import console, print_json

app = typer.Typer(no_args_is_help=True, help="The stream's topics on Kafka.")


@app.callback()
def _topics() -> None:
    """The stream's topics on Kafka."""


@app.command("create")
def create(
    partitions: Annotated[
        int, typer.Option("--partitions", help="At most so many processes share the stream.", min=1)
    ] = 12,
    replication: Annotated[
        int,
        typer.Option(
            "--replication", help="Copies; 3 on a cluster, 0 leaves them to it (MSK Serverless).", min=0
        ),
    ] = 1,
    retention: Annotated[str, typer.Option("--retention", help="How long records stay.")] = "168h",
    brokers: BrokersOption = None,
    prefix: PrefixOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the topics that do not exist; say what exists, and what of it differs. Nothing is changed."""
    from dataclasses import asdict
    from datetime import timedelta

    from pipeline.kafka_topics import TopicPlan, create_topics
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.settings import load_settings

    plan = TopicPlan(partitions, replication, timedelta(seconds=duration_s(retention, "--retention")))
    connection = kafka_connection(load_settings(state=state), brokers)
    findings = create_topics(connection, plan, prefix=prefix)
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return
    table = Table("topic", "state", "differences")
    for finding in findings:
        table.add_row(finding.topic, finding.state, "; ".join(finding.differences) or "–")
    console.print(table)
