"""From a feed's rows to values that can be true; what cannot is left out, and told."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from smartgrid.live.areas import CADENCE_S, Area, Feed
from smartgrid.live.errors import ChangedAnswerError

Values = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one value that whoever uses it should know.

    Attributes:
        kind: ``refused`` (not finite, or out of the physically possible), ``conflict`` (two values of
            one interval in one answer), ``off_grid`` (no interval begins then), ``revised`` (another
            value than was sent) or ``late`` (sent after a newer one).
        ts_utc: start of its interval.
        channel: with its unit; None where it is about the interval.
        old: the value sent before, or the first of two.
        new: the value that came.
    """

    kind: str
    ts_utc: datetime
    channel: str | None = None
    old: float | None = None
    new: float | None = None


@dataclass
class Readings:
    """What an answer holds.

    Attributes:
        values: by the interval's start and the channel; None where the operator left it out or it
            cannot be used.
        remarks: what was left out, and why.
    """

    values: dict[datetime, Values] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def readings(area: Area, feed: Feed, rows: Iterable[Sequence[Any]]) -> Readings:
    """Check an answer's rows.

    Invariants:
        Every value is one that the operator published for that interval, or None.

    Raises:
        ChangedAnswerError: for a row that is no row of this feed.
    """
    found, conflicts = Readings(), set[tuple[datetime, str]]()
    for row in rows:
        start, values = _parsed(area, feed, row)
        if start.timestamp() % feed.interval_s:
            found.remarks.append(Remark("off_grid", start))
            continue
        taken = found.values.setdefault(start, dict.fromkeys(feed.channels))
        for channel, value in zip(feed.channels, values, strict=True):
            if value is not None and not _possible(area, channel, value):
                found.remarks.append(Remark("refused", start, channel, new=value))
            elif value is not None and taken[channel] is None:
                taken[channel] = value
            elif value is not None and value != taken[channel]:
                found.remarks.append(Remark("conflict", start, channel, taken[channel], value))
                conflicts.add((start, channel))
    for start, channel in conflicts:  # which of them is true cannot be known
        found.values[start][channel] = None
    return found


def spread(feed: Feed, values: dict[datetime, Values]) -> dict[datetime, Values]:
    """The same at the area's cadence: an hour's price is the price of each of its intervals."""
    steps = range(0, feed.interval_s, CADENCE_S)
    return {start + timedelta(seconds=step): row for start, row in values.items() for step in steps}


def _parsed(area: Area, feed: Feed, row: Sequence[Any]) -> tuple[datetime, list[float | None]]:
    try:
        start = datetime.fromisoformat(row[0])
        values = [None if value is None else float(value) for value in row[1:]]
    except (TypeError, ValueError, IndexError) as error:
        raise ChangedAnswerError(f"{area.name} {feed.name}: {row!r} is no row of it ({error})") from error
    if start.tzinfo is None or len(values) != len(feed.channels):
        raise ChangedAnswerError(f"{area.name} {feed.name}: {row!r} is not an aware time and its values")
    return start.astimezone(UTC), values


def _possible(area: Area, channel: str, value: float) -> bool:
    low, high = area.bounds[channel]
    return math.isfinite(value) and low <= value <= high
