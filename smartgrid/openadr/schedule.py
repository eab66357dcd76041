"""When an event's intervals lie, by the rules of the OpenADR 3 user guide."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from smartgrid.openadr.signals import Event, Interval

FOREVER = datetime.max.replace(tzinfo=UTC)
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """An interval in absolute time, its end excluded."""

    interval: Interval
    start: datetime
    end: datetime


def spans(event: Event) -> Iterator[Span]:
    """The event's intervals in absolute time, in their order; those without any period are left out.

    An interval without a start of its own begins where the one before it ends. The event's ``duration``
    cuts, it does not repeat.
    """
    first = cursor = BEGINNING if event.period is None else (event.period.start or BEGINNING)
    for position, interval in enumerate(event.intervals):
        period = interval.period or event.period
        if period is None:
            continue
        own = interval.period.start if interval.period is not None else None
        start = cursor if own is None else own
        if position == 0:
            first = start
        cursor = _later(start, period.duration)
        yield Span(interval, start, min(cursor, _end(event, first)))


def in_force(event: Event, at: datetime) -> Span | None:
    """The interval that rules at a moment; the last that has begun where they overlap."""
    found = [span for span in spans(event) if span.start <= at < span.end]
    return max(found, key=lambda span: span.start, default=None)


def _end(event: Event, first: datetime) -> datetime:
    return FOREVER if event.duration is None else _later(first, event.duration)


def _later(start: datetime, duration: timedelta) -> datetime:
    """``P9999Y`` stands for endless, and must not overflow."""
    return FOREVER if duration >= FOREVER - start else start + duration
