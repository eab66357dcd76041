"""An area's past, day by day, as rows of a CSV file of the product's own layout."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from smartgrid.live.areas import CADENCE_S, LOAD, Area, Feed
from smartgrid.live.backing_off import back_off_s
from smartgrid.live.errors import AwayError, LiveError, NotThereError, UnknownAreaError
from smartgrid.live.readings import Remark, Values, readings, spread
from smartgrid.live.source import Ask

logger = logging.getLogger(__name__)

TRIES: Final = 5
"""How often an operator that is away is asked for one answer."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Intervals in a row without a load; they are not in the file.

    Attributes:
        start_utc: of the first.
        intervals: how many.
    """

    start_utc: datetime
    intervals: int


@dataclass(frozen=True)
class History:
    """What was fetched.

    Attributes:
        columns: load, the other parts of net load, and prices with at least one value, in the file's order.
        rows: by the interval's start, in order; each has its load.
        gaps: what is absent.
        missing: blanks in the rows, by channel.
        remarks: values that were left out, and why.
        problems: answers that were not there, for people.
    """

    columns: tuple[str, ...]
    rows: dict[datetime, Values]
    gaps: list[Gap]
    missing: Counter[str]
    remarks: list[Remark]
    problems: list[str]


def require_history(area: Area, first: date, last: date, today: date) -> None:
    """Refuse what cannot be fetched.

    Raises:
        UnknownAreaError: if the operator publishes no past in this way.
        LiveError: for days out of order, or ones that are not over.
    """
    if area.no_history is not None:
        raise UnknownAreaError(f"{area.name} has no history to fetch: {area.no_history}")
    if last < first:
        raise LiveError(f"--to {last} lies before --from {first}; give the first and the last day")
    if last >= today:
        raise LiveError(
            f"--to {last} is not over in {area.zone}; give {today - timedelta(days=1)} or earlier"
        )


def fetch_history(
    area: Area, first: date, last: date, ask: Ask, *, sleep: Callable[[float], object], rng: Random
) -> History:
    """Ask for each local day of an area.

    Args:
        area: to ask about.
        first: local day.
        last: local day, included.
        ask: a reader's :meth:`smartgrid.live.reader.Reader.ask`.
        sleep: waits so many seconds before an operator that was away is asked again.
        rng: of the jitter.

    Invariants:
        Every value is one that the operator published for that interval; nothing is filled in.

    Raises:
        AnswerError: if an operator stays away, or an answer has another layout.
        LiveError: if there is no load at all.
    """
    fetch = _Fetch(area, ask, sleep, rng)
    for day in _days(first, last):
        fetch.read_day(day)
        logger.info("%s: %s is read", area.name, day)
    rows = {
        start: fetch.known[start] for start in sorted(fetch.known) if fetch.known[start].get(LOAD) is not None
    }
    if not rows:
        reasons = "; ".join(fetch.problems) or "its rows are blank"
        raise LiveError(f"{area.name} has no load from {first} to {last}: {reasons}")
    # Without its column a part of net load would count as one that the area does not have.
    columns = tuple(
        channel
        for channel in area.channels
        if channel in area.parts or any(row.get(channel) is not None for row in rows.values())
    )
    blanks = Counter({channel: sum(row.get(channel) is None for row in rows.values()) for channel in columns})
    gaps = list(_gaps(rows, _bounds(area, first)[0], _bounds(area, last)[1]))
    return History(columns, rows, gaps, +blanks, fetch.remarks, fetch.problems)


@dataclass
class _Fetch:
    area: Area
    ask: Ask
    sleep: Callable[[float], object]
    rng: Random
    known: dict[datetime, Values] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read_day(self, day: date) -> None:
        """Ask for each feed of a local day; what the operator does not have is a problem, no error."""
        start, end = _bounds(self.area, day)
        for feed in self.area.feeds:
            try:
                found = readings(self.area, feed, self._ask_patiently(feed, day))
            except NotThereError as error:
                self.problems.append(str(error))
                continue
            self.remarks += found.remarks
            for moment, values in spread(feed, found.values).items():
                if start <= moment < end:
                    self.known.setdefault(moment, {}).update(values)

    def _ask_patiently(self, feed: Feed, day: date) -> Sequence[Sequence[object]]:
        for failures in range(1, TRIES):
            try:
                return self.ask(self.area, feed, day)
            except AwayError as error:
                wait_s = back_off_s(failures, error.retry_after_s, self.rng)
                logger.warning("%s; asked again in %.0f s", error, wait_s)
                self.sleep(wait_s)
        return self.ask(self.area, feed, day)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _bounds(area: Area, day: date) -> tuple[datetime, datetime]:
    """Start and end of a local day in UTC; 23 or 25 hours where the clock changes."""
    ends = (datetime.combine(at, time.min, area.zone) for at in (day, day + timedelta(days=1)))
    start, end = (at.astimezone(UTC) for at in ends)
    return start, end


def _gaps(rows: dict[datetime, Values], start: datetime, end: datetime) -> Iterator[Gap]:
    step, expected = timedelta(seconds=CADENCE_S), start
    for moment in (*rows, end):
        if moment > expected:
            yield Gap(expected, (moment - expected) // step)
        expected = moment + step
