"""``smartgrid topics``, ``produce`` and ``dlq`` on a real broker."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import (
    DEAD_LETTER_TOPIC,
    TELEMETRY_TOPIC,
    DeadLetterMessage,
    decode_telemetry,
    encode_dead_letter,
    encode_telemetry,
)
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from smartgrid.cli import app
from tests.services.topic_reader import TopicReader, until

pytestmark = pytest.mark.service


class Command:
    """Runs ``smartgrid`` in this process, with JSON for an answer."""

    def __init__(self, kafka: KafkaConnection, prefix: str, state: Path) -> None:
        self._common = ["--brokers", kafka.brokers, "--topic-prefix", prefix, "--state", str(state), "--json"]

    def __call__(self, *words: str) -> Any:
        result = CliRunner().invoke(app, [*words, *self._common], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def smartgrid(kafka: KafkaConnection, prefix: str, tmp_path: Path) -> Command:
    return Command(kafka, prefix, tmp_path)


def test_topics_are_created_once_and_a_difference_is_said_and_left_alone(smartgrid: Command) -> None:
    first = smartgrid("topics", "create", "--partitions", "3", "--retention", "2h")
    assert {found["state"] for found in first} == {"created"}
    again = smartgrid("topics", "create", "--partitions", "3", "--retention", "2h")
    assert [(found["state"], found["differences"]) for found in again] == [("exists", [])] * 3
    other = smartgrid("topics", "create", "--partitions", "6", "--retention", "1h")
    assert {found["state"] for found in other} == {"differs"}
    assert other[0]["differences"] == ["partitions: 3, not 6", "retention.ms: 7200000, not 3600000"]
    assert smartgrid("topics", "create", "--partitions", "3", "--retention", "2h") == again


def test_a_replayed_file_is_on_the_topic_row_by_row(
    smartgrid: Command, topics: str, reader: TopicReader, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        "ts_utc,load_kw,solar_kw,price_usd_per_mwh\n"
        "2024-05-01T00:00Z,800,100,42.5\n2024-05-01T00:15Z,810,,\n2024-05-01T00:30Z,820,90,40\n"
    )
    assert smartgrid("produce", "--replay", str(file), "--site", "plant-7") == {"published": 3}
    got = [decode_telemetry(value) for value in reader.telemetry()]
    moments = [datetime(2024, 5, 1, 0, minute, tzinfo=UTC) for minute in (0, 15, 30)]
    assert got == [
        Telemetry("plant-7", moments[0], 800.0, 100.0, None, 700.0, 42.5),
        Telemetry("plant-7", moments[1], 810.0),
        Telemetry("plant-7", moments[2], 820.0, 90.0, None, 730.0, 40.0),
    ]


def test_simulated_sites_pulse_in_turn_and_never_ahead_of_the_clock(
    smartgrid: Command, topics: str, reader: TopicReader
) -> None:
    words = ("--simulate", "10", "--rate", "2000", "--seconds", "0.5")
    assert smartgrid("produce", *words) == {"published": 1000}
    got = [decode_telemetry(value) for value in reader.telemetry()]
    assert len(got) == 1000
    assert max(pulse.ts_utc for pulse in got) <= datetime.now(UTC)
    for site in {pulse.site for pulse in got}:
        stamps = [pulse.ts_utc for pulse in got if pulse.site == site]
        assert len(stamps) == 100
        assert {(b - a).total_seconds() for a, b in pairwise(stamps)} == {5.0}


@pytest.fixture
def run_stream(
    kafka: KafkaConnection, topics: str, model: ForecastModel, tmp_path: Path
) -> Callable[[int], None]:
    """Streams so many records, and stops."""

    def run(records: int) -> None:
        done = 0
        with (
            SqliteStore(tmp_path / "telemetry.db") as store,
            KafkaStream(kafka, group=topics + "g", prefix=topics) as stream,
        ):
            engine = StreamEngine(stream, store, model)

            def work() -> None:
                nonlocal done
                done += engine.run_once().polled

            until(lambda: done >= records, work, f"{records} records")

    return run


def test_dead_letters_are_shown_and_put_back_once_with_a_reason_and_without(
    smartgrid: Command, writer: KafkaWriter, reader: TopicReader, run_stream: Callable[[int], None]
) -> None:
    bad = [b"\xff", b'{"site":"area"}', b"{}", b"\xfe"]
    good = encode_telemetry(Telemetry("area", datetime(2024, 5, 1, tzinfo=UTC), net_load_kw=1.0))
    for value in (good, *bad):
        writer.produce(TELEMETRY_TOPIC, "area", value)
    writer.flush()
    run_stream(5)
    shown = smartgrid("dlq", "show")
    assert [base64.b64decode(letter["original"]) for letter in shown] == bad
    assert [letter["offset"] for letter in shown] == [1, 2, 3, 4]
    assert [letter["reason"] for letter in smartgrid("dlq", "show", "--limit", "2")] == [
        "schema",
        "undecodable",
    ]

    assert smartgrid("dlq", "replay", "--reason", "schema") == {"replayed": {"schema": 2}}
    assert sorted(reader.telemetry()) == sorted([good, *bad, *bad[1:3]])
    assert smartgrid("dlq", "replay", "--reason", "schema") == {"replayed": {"schema": 0}}
    assert smartgrid("dlq", "replay") == {"replayed": {"schema": 0, "undecodable": 2}}
    assert smartgrid("dlq", "replay") == {"replayed": {"schema": 0, "undecodable": 0}}
    assert sorted(reader.telemetry()) == sorted([good, *bad, *bad])

    run_stream(4)  # they are as bad as before: letters anew, which may be put back once again
    assert len(smartgrid("dlq", "show")) == 8
    assert smartgrid("dlq", "replay") == {"replayed": {"schema": 2, "undecodable": 2}}


def test_a_letter_that_was_written_twice_is_one_letter(
    smartgrid: Command, writer: KafkaWriter, reader: TopicReader
) -> None:
    letter = DeadLetterMessage("schema", "site: empty", "grid.telemetry", 3, 17, b"original")
    for _ in range(2):
        writer.produce(DEAD_LETTER_TOPIC, "area", encode_dead_letter(letter))
    writer.produce(DEAD_LETTER_TOPIC, "area", b"no letter at all")
    writer.flush()
    assert [shown["offset"] for shown in smartgrid("dlq", "show")] == [17]
    assert smartgrid("dlq", "replay") == {"replayed": {"schema": 1}}
    assert reader.telemetry() == [b"original"]
