"""Times as integer microseconds since 1970 UTC: exact, sortable, the same in arrays and in stores."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MICROS_PER_SECOND = 1_000_000


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The UTC time of a number of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def to_millis(seconds: float) -> int:
    """A duration in whole milliseconds, the stream's resolution of time."""
    return round(seconds * 1000.0)
