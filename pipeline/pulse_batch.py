"""A batch of telemetry messages as columns, and what of it cannot be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices, Integers
from pipeline.bounds import Bounds
from pipeline.errors import MessageError
from pipeline.messages import (
    EARLIEST,
    LARGEST_VALUE,
    LATEST,
    VALUE_NAMES,
    TelemetryMessage,
    check_range,
    decode_messages,
    stamp_of,
)

FUTURE_TOLERANCE: Final = timedelta(seconds=60)
"""How far a meter's clock may be ahead of the time at which its record was written."""
LOAD, SOLAR, WIND, NET_LOAD, FREQUENCY = (
    VALUE_NAMES.index(name) for name in ("load_kw", "solar_kw", "wind_kw", "net_load_kw", "frequency_hz")
)
_EARLIEST_MS: Final = round(EARLIEST.timestamp() * 1000)
_LATEST_MS: Final = round(LATEST.timestamp() * 1000)
_TOLERANCE_MS: Final = round(FUTURE_TOLERANCE.total_seconds() * 1000)


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that cannot be used: its place in the batch, and why."""

    place: int
    error: MessageError


@dataclass(frozen=True, slots=True)
class PulseBatch:
    """Pulses that can be used, in the order of their records.

    Attributes:
        places: of their records in the batch.
        messages: as they came.
        sites: their sites.
        ts_ms: whole milliseconds since 1970.
        values: one row a channel (:data:`pipeline.messages.VALUE_NAMES`), one column a pulse; NaN
            is missing. Net load is derived where only its three parts are there.
        moments: their times, aware, in UTC and whole milliseconds.
    """

    places: Indices
    messages: list[TelemetryMessage]
    sites: list[str]
    ts_ms: Integers
    values: Floats
    moments: list[datetime]

    def __len__(self) -> int:
        return len(self.messages)


def decode_batch(
    values: Sequence[bytes], written_ms: Sequence[int], bounds: Bounds
) -> tuple[PulseBatch, list[Refused]]:
    """Decode and check records.

    Args:
        values: the messages.
        written_ms: when each record was written to its topic, in milliseconds since 1970; negative
            where that is not known.
        bounds: what the sites' meters can possibly show.
    """
    messages, bad_places, errors = decode_messages(values)
    refused = list(map(Refused, bad_places, errors))
    places = np.delete(np.arange(len(values)), bad_places) if refused else np.arange(len(values))
    stamps = [message.ts_utc for message in messages]
    seconds = np.array(list(map(datetime.timestamp, stamps)), dtype=np.float64)
    ts_us = np.rint(seconds * 1e6).astype(np.int64)
    ts_ms = ts_us // 1000
    as_sent = [stamp.tzinfo for stamp in stamps].count(UTC) == len(stamps) and not np.any(ts_us % 1000)
    numbers = np.full((len(VALUE_NAMES), len(messages)), np.nan)
    for row, name in zip(numbers, VALUE_NAMES, strict=True):
        column = list(map(attrgetter(name), messages))
        if column[:1] != [None] or column.count(None) < len(column):
            row[:] = column
    parts = numbers[LOAD] - numbers[SOLAR] - numbers[WIND]
    numbers[NET_LOAD] = np.where(np.isnan(numbers[NET_LOAD]), parts, numbers[NET_LOAD])
    sites = [message.site for message in messages]
    written = np.array(written_ms, dtype=np.int64)[places]
    early = (written >= 0) & (ts_ms > written + _TOLERANCE_MS)
    odd = (ts_ms < _EARLIEST_MS) | (ts_ms >= _LATEST_MS) | (np.abs(numbers) > LARGEST_VALUE).any(axis=0)
    odd |= early | bounds.passed(sites, numbers)
    if odd.any():
        refused += [
            Refused(int(places[i]), _reason(messages[i], numbers[:, i], early=bool(early[i]), bounds=bounds))
            for i in np.flatnonzero(odd).tolist()
        ]
        good = np.flatnonzero(~odd)
        places, ts_ms, numbers = places[good], ts_ms[good], numbers[:, good]
        messages = [messages[i] for i in good.tolist()]
        sites, stamps = [message.site for message in messages], [message.ts_utc for message in messages]
    moments = stamps if as_sent else list(map(stamp_of, messages))
    return PulseBatch(places, messages, sites, ts_ms, numbers, moments), refused


def _reason(message: TelemetryMessage, numbers: Floats, *, early: bool, bounds: Bounds) -> MessageError:
    try:
        check_range(message)
    except MessageError as error:
        return error
    if early:
        return MessageError(
            "from_future",
            f"ts_utc: {message.ts_utc.isoformat()} lies more than {FUTURE_TOLERANCE.total_seconds():g} s "
            "after the record was written; set the meter's clock",
        )
    return bounds.error(message.site, numbers)
