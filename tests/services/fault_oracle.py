"""What one uninterrupted engine, and the definition offline, make of the log that is on the broker."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from confluent_kafka import Message

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
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
from tests.pipeline.offline_log import offline_bands
from tests.services.fault_log import rounds
from tests.services.topic_reader import TopicReader

Key = tuple[str, datetime, datetime]
"""Site, issued_at, target_at."""
Place = tuple[int, int]
"""Partition and offset on the telemetry topic."""
Letter = tuple[int, int, str, bytes]
"""Partition, offset, reason, original."""


@dataclass(frozen=True)
class Findings:
    """What was counted, and every deviation with its site, time, partition and offset."""

    counts: dict[str, int]
    wrong: list[str]


@dataclass(frozen=True)
class _Log:
    """The telemetry topic: values by partition in the order of offsets, and where each event stands first."""

    partitions: dict[int, list[tuple[str, bytes]]]

    def pulses(self) -> Iterator[tuple[Place, Telemetry]]:
        for number, messages in self.partitions.items():
            for offset, (_, value) in enumerate(messages):
                try:
                    yield (number, offset), decode_telemetry(value)
                except MessageError:
                    continue

    def describe(self) -> Callable[[Key], str]:
        """Names a forecast by its site and time, and where its event stands in the log."""
        places: dict[tuple[str, datetime], Place] = {}
        for place, pulse in self.pulses():
            places.setdefault((pulse.site, pulse.ts_utc), place)

        def describe(key: Key) -> str:
            number, offset = places.get(key[:2], (None, None))
            return f"{key[0]} {key[1].isoformat()} (telemetry partition {number}, offset {offset})"

        return describe


def judge(reader: TopicReader, model: ForecastModel, *, seed: int, sent: int) -> Findings:
    """Compare what is on the broker's topics with what must be there."""
    log = _read_log(reader.messages(TELEMETRY_TOPIC))
    wanted, wanted_letters = _uninterrupted(log, model)
    written, written_letters = reader.values(FORECASTS_TOPIC), reader.values(DEAD_LETTER_TOPIC)
    got, changed = _idempotent(written)
    letters = {_letter(value) for value in written_letters}
    lost = sorted(wanted.keys() - got.keys())
    differing = sorted(key for key in wanted.keys() & got.keys() if wanted[key] != got[key])
    at = log.describe()
    counts = {
        "records replayed": sent,
        "forecasts wanted": len(wanted),
        "forecasts found": len(got),
        "forecasts written again (raw duplicates)": len(written) - len(got),
        "forecasts lost": len(lost),
        "forecasts differing": len(differing) + len(changed),
        "dead letters": len(letters),
        "dead letters written again": len(written_letters) - len(letters),
    }
    return Findings(
        counts,
        [
            *changed,
            *(f"lost: {at(key)}" for key in lost),
            *(f"of no event: {at(key)}" for key in sorted(got.keys() - wanted.keys())),
            *(f"differs: {at(key)}: {got[key]!r}, wanted {wanted[key]!r}" for key in differing),
            *(
                f"not as the features offline: {at(key)}"
                for key in _not_as_offline(log, wanted_letters, got, model)
            ),
            *(f"letter lost: {letter}" for letter in sorted(wanted_letters - letters)),
            *(f"letter of nothing: {letter}" for letter in sorted(letters - wanted_letters)),
            *_not_kept(log, seed, sent),
        ],
    )


def _read_log(messages: list[Message]) -> _Log:
    partitions: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
    for message in messages:
        key, value, number = message.key(), message.value(), message.partition()
        assert number is not None
        assert message.offset() == len(partitions[number])
        partitions[number].append((_bytes(key).decode(), _bytes(value)))
    return _Log(partitions)


def _bytes(content: str | bytes | None) -> bytes:
    return content if isinstance(content, bytes) else (content or "").encode()


def _uninterrupted(log: _Log, model: ForecastModel) -> tuple[dict[Key, bytes], set[Letter]]:
    """Forecasts and dead letters of an engine that reads each partition from its beginning to its end."""
    made: dict[Key, bytes] = {}
    letters: set[Letter] = set()
    for number, messages in log.partitions.items():
        stream = MemoryStream()
        for key, value in messages:
            stream.produce(TELEMETRY_TOPIC, key, value)
        with TemporaryDirectory() as folder, SqliteStore(Path(folder) / "telemetry.db") as store:
            StreamEngine(stream, store, model).drain()
        values = [record.value for record in stream.records(FORECASTS_TOPIC)]
        of_partition, wrong = _idempotent(values)
        assert (len(of_partition), wrong) == (len(values), [])
        made |= of_partition
        for record in stream.records(DEAD_LETTER_TOPIC):
            letters.add((number, *_letter(record.value)[1:]))
    return made, letters


def _idempotent(values: list[bytes]) -> tuple[dict[Key, bytes], list[str]]:
    """The first forecast by site, issue and target, and those written again with other bytes."""
    made: dict[Key, bytes] = {}
    wrong = []
    for value in values:
        found = msgspec.json.decode(value, type=ForecastMessage)
        first = made.setdefault((found.site, found.issued_at, found.target_at), value)
        if first != value:
            wrong.append(f"written twice, and not the same: {first!r}, {value!r}")
    return made, wrong


def _letter(value: bytes) -> Letter:
    letter = msgspec.json.decode(value, type=DeadLetterMessage)
    return (letter.partition, letter.offset, letter.reason, letter.original)


def _not_as_offline(
    log: _Log, letters: set[Letter], got: dict[Key, bytes], model: ForecastModel
) -> list[Key]:
    """Forecasts whose numbers are not those of the feature rows that the definition gives."""
    refused = {letter[:2] for letter in letters}
    bands = offline_bands((pulse for place, pulse in log.pulses() if place not in refused), model)
    found = {key: msgspec.json.decode(value, type=ForecastMessage) for key, value in got.items()}
    return [
        key
        for key, made in sorted(found.items())
        if bands.get(key[:2]) != (made.p10_kw, made.p50_kw, made.p90_kw)
    ]


def _not_kept(log: _Log, seed: int, sent: int) -> list[str]:
    """Keys whose records on the topic are not those that were sent, each once and in order."""
    stream = (message for messages in rounds(seed) for message in messages)
    by_key: dict[str, list[bytes]] = defaultdict(list)
    for key, value in islice(stream, sent):
        by_key[key].append(value)
    on_topic: dict[str, list[bytes]] = defaultdict(list)
    for messages in log.partitions.values():
        for key, value in messages:
            on_topic[key].append(value)
    return [f"telemetry of {key} was not kept as sent" for key in by_key if by_key[key] != on_topic[key]]
