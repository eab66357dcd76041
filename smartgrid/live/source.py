"""One area, asked again and again: new intervals become pulses, changed ones become remarks.

An interval is sent once, as soon as all that is expected of it is there. What is late is waited for:
the price for :data:`PRICE_WAIT_S` after the interval's end, solar and wind for :data:`PARTS_WAIT_S`,
and as long as their feed cannot be read; then the interval is sent without. Without its load it is not
sent at all. The first value that was sent counts, as everywhere in the stream: what the operator
changes afterwards is told, not sent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

from grid.telemetry import Telemetry
from grid.units import KW_PER_MW
from smartgrid.live.areas import CADENCE_S, DA_PRICE, LOAD, PRICE, SOLAR, WIND, Area, Feed
from smartgrid.live.backing_off import back_off_s
from smartgrid.live.errors import AnswerError, AwayError, ChangedAnswerError
from smartgrid.live.readings import Remark, Values, readings, spread

PRICE_WAIT_S: Final = 600.0
PARTS_WAIT_S: Final = 1800.0
CHANGED_FOR: Final = timedelta(minutes=30)
"""For so long may a required answer have another layout: one may be cut off, or a new day's not begun."""
AFTER_MIDNIGHT: Final = timedelta(hours=1)
"""For so long, yesterday's last intervals may still come."""
LONGEST_BACK: Final = timedelta(days=1)
"""So long an outage loses nothing."""
_KEPT = timedelta(days=3)
_SETTLE_S = (20.0, 40.0)
"""After the moment of publication, so that it is out, and not everyone asks in one second."""

Ask = Callable[[Area, Feed, date], list[list[object]]]


@dataclass
class Poll:
    """What one round of questions gave.

    Attributes:
        pulses: to be sent, by time.
        remarks: each told once.
        problems: answers that could not be used, for people.
    """

    pulses: list[Telemetry] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Turn:
    """When a feed is asked next, and how it fared."""

    due: datetime | None = None
    failures: int = 0
    changed_since: datetime | None = None


class LiveSource:
    """What is known of an area, and what of it was sent.

    Args:
        area: to ask about.
        site: of its pulses.
        ask: a reader's :meth:`smartgrid.live.reader.Reader.ask`.
        rng: of the jitter.
    """

    def __init__(self, area: Area, site: str, ask: Ask, rng: Random) -> None:
        self._area = area
        self._site = site
        self._ask = ask
        self._rng = rng
        self._turns = {feed.name: _Turn() for feed in area.feeds}
        self._known: dict[datetime, Values] = {}
        self._sent: dict[datetime, Values] = {}
        self._told: set[Remark] = set()
        self._newest: datetime | None = None

    def poll(self, now: datetime) -> Poll:
        """Ask whatever is due.

        Args:
            now: by the wall clock, aware.

        Raises:
            ChangedAnswerError: if a required feed has had another layout for :data:`CHANGED_FOR`.
            ReaderError, StoppedError: as the reader has it.
        """
        poll = Poll()
        for feed in self._area.feeds:
            turn = self._turns[feed.name]
            if turn.due is None or turn.due <= now:
                self._take_turn(feed, turn, now, poll)
        poll.pulses = self._ready(now, poll)
        self._forget(now - _KEPT)
        return poll

    def next_due(self) -> datetime:
        """When the next question is due."""
        return min(turn.due for turn in self._turns.values() if turn.due is not None)

    def _take_turn(self, feed: Feed, turn: _Turn, now: datetime, poll: Poll) -> None:
        today = now.astimezone(self._area.zone).date()
        for day in self._days(feed, now):
            try:
                rows = self._ask(self._area, feed, day)
                found = readings(self._area, feed, rows)
            except AnswerError as error:
                poll.problems.append(str(error))
                if day == today:
                    self._failed(feed, turn, now, error)
                    return
            else:
                self._tell(found.remarks, poll)
                self._take(feed, spread(feed, found.values), now, poll)
        turn.failures, turn.changed_since = 0, None
        turn.due = self._after_publication(feed, now)

    def _days(self, feed: Feed, now: datetime) -> list[date]:
        days = {moment.astimezone(self._area.zone).date() for moment in (now, self._since(now))}
        return sorted(days) if feed.by_day else [max(days)]

    def _failed(self, feed: Feed, turn: _Turn, now: datetime, error: AnswerError) -> None:
        turn.failures += 1
        if isinstance(error, ChangedAnswerError):
            turn.changed_since = turn.changed_since or now
            if feed.required and now - turn.changed_since >= CHANGED_FOR:
                raise error
            turn.due = self._after_publication(feed, now)
            return
        turn.changed_since = None
        asked_s = error.retry_after_s if isinstance(error, AwayError) else None
        turn.due = now + timedelta(seconds=back_off_s(turn.failures, asked_s, self._rng))

    def _after_publication(self, feed: Feed, now: datetime) -> datetime:
        wait_s = feed.every_s - now.timestamp() % feed.every_s
        return now + timedelta(seconds=wait_s + self._rng.uniform(*_SETTLE_S))

    def _take(self, feed: Feed, values: dict[datetime, Values], now: datetime, poll: Poll) -> None:
        oldest = self._oldest(now)
        fresh = sorted(start for start in values if start >= oldest)
        if values and not fresh:
            poll.problems.append(
                f"{self._area.name} {feed.name}: the newest row is of {max(values).isoformat()}; left alone, "
                "until the operator publishes newer ones"
            )
        for start in fresh:
            known = self._known.setdefault(start, {})
            for channel, value in values[start].items():
                self._note_revision(start, channel, value, poll)
                known[channel] = value

    def _oldest(self, now: datetime) -> datetime:
        """The first interval that may come now.

        Where a clock is behind CAISO's, gridstatus takes the present day's times of day for yesterday's.
        """
        midnight = now.astimezone(self._area.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return min(midnight.astimezone(UTC), self._since(now))

    def _since(self, now: datetime) -> datetime:
        """From when on something may be missing that still comes, also after an outage over midnight."""
        newest = now if self._newest is None else self._newest
        return max(now - LONGEST_BACK, min(now - AFTER_MIDNIGHT, newest))

    def _note_revision(self, start: datetime, channel: str, value: float | None, poll: Poll) -> None:
        sent = self._sent.get(start)
        if sent is not None and value not in (sent.get(channel), self._known[start].get(channel)):
            self._tell([Remark("revised", start, channel, sent.get(channel), value)], poll)

    def _ready(self, now: datetime, poll: Poll) -> list[Telemetry]:
        pulses = []
        for start in sorted(self._known.keys() - self._sent.keys()):
            values = self._known[start]
            if start <= now and self._is_complete(start, values, now):
                if self._newest is not None and start < self._newest:
                    self._tell([Remark("late", start)], poll)
                pulses.append(pulse_of(self._area, self._site, start, values))
                self._sent[start] = dict(values)
        if pulses:
            newest = pulses[-1].ts_utc
            self._newest = newest if self._newest is None else max(newest, self._newest)
        return pulses

    def _is_complete(self, start: datetime, values: Values, now: datetime) -> bool:
        if values.get(LOAD) is None:
            return False
        age_s = (now - start).total_seconds() - CADENCE_S
        parts = all(values.get(channel) is not None for channel in self._area.parts)
        price = PRICE not in self._area.channels or values.get(PRICE) is not None
        read = all(self._turns[feed.name].failures == 0 for feed in self._area.feeds if feed.required)
        return (parts or (read and age_s >= PARTS_WAIT_S)) and (price or age_s >= PRICE_WAIT_S)

    def _tell(self, remarks: list[Remark], poll: Poll) -> None:
        poll.remarks += [remark for remark in remarks if remark not in self._told]
        self._told.update(remarks)

    def _forget(self, before: datetime) -> None:
        self._told = {remark for remark in self._told if remark.ts_utc >= before}
        for table in (self._known, self._sent):
            for start in [start for start in table if start < before]:
                del table[start]


def pulse_of(area: Area, site: str, start: datetime, values: Values) -> Telemetry:
    """The pulse of an interval: MW become kW; net load is there if all parts are that this area has."""
    parts = {channel: _kw(values.get(channel)) for channel in area.parts}
    net_load_kw = None
    if (load_kw := parts[LOAD]) is not None:
        others = [value for channel, value in parts.items() if channel != LOAD and value is not None]
        net_load_kw = load_kw - sum(others) if len(others) == len(parts) - 1 else None
    return Telemetry(
        site,
        start,
        load_kw=load_kw,
        solar_kw=parts.get(SOLAR),
        wind_kw=parts.get(WIND),
        net_load_kw=net_load_kw,
        price_usd_per_mwh=values.get(PRICE),
        da_price_usd_per_mwh=values.get(DA_PRICE),
    )


def _kw(value_mw: float | None) -> float | None:
    return None if value_mw is None else value_mw * KW_PER_MW
