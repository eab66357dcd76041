"""Whatever comes on the topic, the stream goes on, and every record is accounted for by itself."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from pipeline.engine import BatchReport, StreamEngine
from pipeline.errors import MessageError
from pipeline.memory_stream import MemoryStream
from pipeline.messages import (
    DEAD_LETTER_TOPIC,
    FORECASTS_TOPIC,
    TELEMETRY_TOPIC,
    DeadLetterMessage,
    ForecastMessage,
    decode_telemetry,
)
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from tests.pipeline.mutations import mutated

WHOLE = b'{"site":"a","ts_utc":"2024-05-01T00:00:00Z","load_kw":1,"net_load_kw":5}'
OTHER = b'{"site":"b","ts_utc":"2024-05-01T00:00:00Z","net_load_kw":6}'
CADENCE = timedelta(minutes=5)
JUDGED_BY_ITS_SITE = {"conflict", "too_late", "out_of_bounds"}
"""Reasons that a message alone does not show."""
Event = tuple[str, datetime]


def stream_of(
    values: Iterable[bytes], model: ForecastModel, batches: Iterable[int] = ()
) -> tuple[MemoryStream, BatchReport]:
    """The stream after an engine took all records, in batches of these sizes and then in large ones."""
    stream = MemoryStream()
    for value in values:
        stream.produce(TELEMETRY_TOPIC, "key", value)
    with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "telemetry.db") as store:
        engine = StreamEngine(stream, store, model)
        total = BatchReport()
        for size in batches:
            total += engine.run_once(size)
        return stream, total + engine.drain()


def letters_of(stream: MemoryStream) -> dict[int, DeadLetterMessage]:
    letters = [
        msgspec.json.decode(record.value, type=DeadLetterMessage)
        for record in stream.records(DEAD_LETTER_TOPIC)
    ]
    by_offset = {letter.offset: letter for letter in letters}
    assert len(by_offset) == len(letters), "a record has two letters"
    return by_offset


def assert_accounted_for(values: list[bytes], stream: MemoryStream, report: BatchReport) -> None:
    """Every record is an accepted event with its forecast, a duplicate, or a letter that holds it."""
    letters = letters_of(stream)
    for offset, letter in letters.items():
        assert (letter.topic, letter.partition) == (TELEMETRY_TOPIC, 0)
        assert letter.original == values[offset]
        assert letter.detail
    accepted, duplicates = judged_alone(values, letters)
    assert report.polled == len(values) == report.accepted + report.duplicates + report.dead_letters
    assert (report.accepted, report.duplicates) == (len(accepted), duplicates)
    assert report.dead_letters == len(letters)
    issued = [
        msgspec.json.decode(record.value, type=ForecastMessage) for record in stream.records(FORECASTS_TOPIC)
    ]
    with_level = Counter(event for event, pulse in accepted.items() if pulse.net_load_kw is not None)
    assert Counter((made.site, made.issued_at) for made in issued) == with_level
    assert all(made.target_at - made.issued_at == timedelta(minutes=30) for made in issued)
    assert all(made.p10_kw <= made.p50_kw <= made.p90_kw for made in issued)
    assert report.forecasts == len(issued)


def judged_alone(
    values: list[bytes], letters: dict[int, DeadLetterMessage]
) -> tuple[dict[Event, Telemetry], int]:
    """The accepted events and the number of duplicates that these letters leave; each letter is due."""
    accepted: dict[Event, Telemetry] = {}
    newest: dict[str, datetime] = {}
    duplicates = 0
    for offset, value in enumerate(values):
        reason = letters[offset].reason if offset in letters else None
        try:
            pulse = decode_telemetry(value)
        except MessageError as error:
            assert reason == error.reason, (offset, value)
            continue
        event = (pulse.site, pulse.ts_utc)
        age = newest.get(pulse.site, pulse.ts_utc) - pulse.ts_utc
        if reason is not None:
            assert reason in JUDGED_BY_ITS_SITE, (offset, value)
            assert reason != "conflict" or accepted[event] != pulse, (offset, value)
            assert reason != "too_late" or age > 9 * CADENCE, (offset, value)
        elif event in accepted:
            assert accepted[event] == pulse, (offset, value)
            duplicates += 1
        else:
            assert age <= 12 * CADENCE, (offset, value)
            accepted[event] = pulse
            newest[pulse.site] = max(pulse.ts_utc, newest.get(pulse.site, pulse.ts_utc))
    return accepted, duplicates


def test_a_hundred_thousand_mutated_messages_are_each_accounted_for(model: ForecastModel) -> None:
    values = list(islice(mutated(seed=20_240_501), 100_000))
    random = Random(7)
    stream, report = stream_of(values, model, [random.choice([1, 2, 7, 100, 3000]) for _ in range(60)])
    assert_accounted_for(values, stream, report)
    reasons = Counter(letter.reason for letter in letters_of(stream).values())
    for reason in (
        "undecodable",
        "schema",
        "non_finite",
        "out_of_range",
        "naive_time",
        "conflict",
        "too_late",
    ):
        assert reasons[reason] > 50, f"the fuzz hardly makes {reason}: {reasons}"
    assert report.forecasts > 10_000
    assert report.duplicates > 1_000


@settings(max_examples=25)
@given(seed=st.integers(0, 1_000_000), sizes=st.lists(st.integers(1, 5), max_size=20))
def test_a_record_fares_the_same_in_any_batch(seed: int, sizes: list[int], model: ForecastModel) -> None:
    values = list(islice(mutated(seed), 30))
    stream, report = stream_of(values, model, sizes)
    assert_accounted_for(values, stream, report)
    alone, _ = stream_of(values, model, [1] * len(values))
    for topic in (FORECASTS_TOPIC, DEAD_LETTER_TOPIC):
        assert sorted(record.value for record in stream.records(topic)) == sorted(
            record.value for record in alone.records(topic)
        )


PIECES = st.sampled_from(
    [WHOLE, OTHER, *(WHOLE[:i] for i in (1, 12, 40, -1)), *(WHOLE[i:] for i in (1, 12, 40, -1))]
)
GLUE = st.sampled_from([b"", b"\n", b"\r\n", b" ", b",", b"\x00", b"\xef\xbb\xbf", b"[", b"]", b'"', b"\\"])


@settings(max_examples=100)
@given(
    values=st.lists(
        st.one_of(
            st.lists(PIECES | GLUE, max_size=5).map(b"".join),
            st.binary(max_size=30),
            st.text().map(str.encode),
        ),
        max_size=12,
    )
)
@example(values=[WHOLE[:40], WHOLE[40:]])
@example(values=[WHOLE + b"\n" + OTHER])
@example(values=[WHOLE + b",", OTHER])
@example(values=[b"[" + WHOLE, OTHER + b"]"])
@example(values=[WHOLE[:-1] + b',"x":"', OTHER, b'"}'])
@example(values=[b"", b"\n", b"\n\n", b" ", WHOLE, b"\n" + OTHER + b"\n"])
def test_records_that_would_merge_or_split_when_joined_are_judged_each_alone(
    values: list[bytes], model: ForecastModel
) -> None:
    stream, report = stream_of(values, model)
    assert_accounted_for(values, stream, report)


@pytest.mark.parametrize("place", [1, 12, 40, len(WHOLE) - 1])
def test_a_torn_message_is_two_dead_letters_and_its_neighbours_are_forecast(
    place: int, model: ForecastModel
) -> None:
    values = [OTHER, WHOLE[:place], WHOLE[place:], WHOLE.replace(b'"a"', b'"c"')]
    stream, report = stream_of(values, model)
    assert_accounted_for(values, stream, report)
    assert set(letters_of(stream)) == {1, 2}
