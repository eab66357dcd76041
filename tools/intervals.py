"""Dispatch intervals: their borders, and the means of net load over them."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from grid.telemetry import Telemetry
from grid.units import RAMP_WINDOW_S
from pipeline.store import SeriesReader
from tools.believed import believed_pulses

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def interval_start(moment: datetime, interval_s: float) -> datetime:
    """The border at or before ``moment``: borders are whole multiples of ``interval_s`` since the epoch."""
    return moment - timedelta(seconds=(moment - _EPOCH).total_seconds() % interval_s)


def local_day(moment: datetime, tz: str) -> tuple[datetime, datetime]:
    """Start and end of the local day of ``moment``, in UTC; 23, 24 or 25 hours apart."""
    zone = ZoneInfo(tz)
    day = moment.astimezone(zone).date()
    start = datetime.combine(day, time(), tzinfo=zone)
    return start.astimezone(UTC), datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(
        UTC
    )


def intervals_looked_back(interval_s: float) -> int:
    """How many intervals cover the last 30 minutes and the newest one."""
    return max(1, round(RAMP_WINDOW_S / interval_s)) + 1


def past_means(reader: SeriesReader, site: str, border: datetime, interval_s: float) -> list[float | None]:
    """Means of a site's net load over the 30 minutes and one interval before ``border``, oldest first."""
    count = intervals_looked_back(interval_s)
    first = border - timedelta(seconds=count * interval_s)
    return net_load_means(believed_pulses(reader, site, first, border), first, interval_s, count)


def net_load_means(
    pulses: Iterable[Telemetry], first: datetime, interval_s: float, count: int
) -> list[float | None]:
    """Mean net load in kW of ``count`` intervals from ``first`` on; None where nothing was measured."""
    sums, counts = [0.0] * count, [0] * count
    index, start, end = 0, first, first  # of the interval that the last pulse was in: it mostly is the next's
    for pulse in pulses:
        stamp, net_load_kw = pulse.ts_utc, pulse.net_load_kw
        if not start <= stamp < end:
            index = int((stamp - first).total_seconds() // interval_s)
            start = first + timedelta(seconds=index * interval_s)
            end = first + timedelta(seconds=(index + 1) * interval_s)
        if net_load_kw is not None and 0 <= index < count:
            sums[index] += net_load_kw
            counts[index] += 1
    return [total / n if n else None for total, n in zip(sums, counts, strict=True)]
