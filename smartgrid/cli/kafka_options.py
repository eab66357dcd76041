"""Options of the commands that speak to Kafka."""

from typing import Annotated

import typer

BrokersOption = Annotated[
    str | None, typer.Option("--brokers", help="Kafka brokers, host:port,… (else SMARTGRID_KAFKA).")
]
PrefixOption = Annotated[
    str, typer.Option("--topic-prefix", help="Put before each topic's name, e.g. staging.")
]
