"""``smartgrid dlq``: what the stream could not use, and its way back."""

import base64
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from smartgrid.cli.kafka_options import BrokersOption, PrefixOption
from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.dead_letters import Letter
    from pipeline.kafka_settings import KafkaConnection

app = typer.Typer(no_args_is_help=True, help="The dead-letter topic: show it, put letters back.")
_SHOWN_BYTES = 60


@app.callback()
def _dlq() -> None:
    """The dead-letter topic: show it, put letters back."""


@app.command("show")
def show(
    limit: Annotated[int, typer.Option("--limit", help="At most so many, the newest.", min=1)] = 20,
    brokers: BrokersOption = None,
    prefix: PrefixOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters: where the original stands, why it could not be used, and its bytes."""
    from pipeline.dead_letters import newest_letters

    letters = newest_letters(_connection(state, brokers), limit, prefix=prefix)
    if as_json:
        print_json([_document(letter) for letter in letters])
        return
    if not letters:
        console.print("no dead letters")
        return
    table = Table("original", "reason", "detail", "bytes")
    for letter in letters:
        message = letter.message
        place = f"{message.topic}[{message.partition}] {message.offset}"
        # As text, so that nothing in a message is taken for markup or for a terminal's control code.
        table.add_row(*(Text(part) for part in (place, message.reason, message.detail)), _preview(letter))
    console.print(table)


@app.command("replay")
def replay(
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only letters with this reason, e.g. schema.")
    ] = None,
    brokers: BrokersOption = None,
    prefix: PrefixOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the originals back on the telemetry topic, each once, however often this is run."""
    from pipeline.dead_letters import replay as put_back

    counts = put_back(_connection(state, brokers), reason=reason, prefix=prefix)
    if as_json:
        print_json({"replayed": counts})
        return
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    console.print(f"put back: {parts or 'nothing'}", highlight=False)


def _connection(state: "Path | None", brokers: str | None) -> "KafkaConnection":
    from smartgrid.kafka_access import kafka_connection
    from smartgrid.settings import load_settings

    return kafka_connection(load_settings(state=state), brokers)


def _preview(letter: "Letter") -> Text:
    original = letter.message.original
    more = "…" if len(original) > _SHOWN_BYTES else ""
    return Text(ascii(original[:_SHOWN_BYTES].decode("utf-8", "backslashreplace"))[1:-1] + more)


def _document(letter: "Letter") -> dict[str, Any]:
    message = letter.message
    return {
        "reason": message.reason,
        "detail": message.detail,
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "original": base64.b64encode(message.original).decode(),
    }
