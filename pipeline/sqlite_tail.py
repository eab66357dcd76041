"""The newest pulses of each site, kept as they were read: every tick reads the last hours again."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from grid.telemetry import Telemetry
from pipeline.sqlite_rows import Row, telemetry_of

KEPT: Final = 8192
"""Pulses of a site, at most."""
_READ: Final = "SELECT * FROM telemetry WHERE site = ? AND ts >= ? AND ts < ? ORDER BY ts"
_COUNT: Final = "SELECT count(*) FROM telemetry WHERE site = ? AND ts >= ? AND ts < ?"

Query = Callable[..., list[Row]]


@dataclass
class _Tail:
    """All that the store has of a site from ``start`` until ``end``; stamps in µs."""

    start: int
    end: int
    stamps: list[int]
    pulses: list[Telemetry]

    def places(self, start: int, end: int) -> tuple[int, int]:
        """Where a range begins and ends."""
        low = bisect_left(self.stamps, start)
        return low, bisect_left(self.stamps, end, low)

    def shorten(self) -> None:
        """Let go of the older half of what is too much."""
        if len(self.stamps) > KEPT:
            surplus = len(self.stamps) - KEPT // 2
            del self.stamps[:surplus], self.pulses[:surplus]
            self.start = self.stamps[0]


class Tails:
    """Reads telemetry; of what it has read before, only how many rows there are.

    Invariants:
        The first telemetry of a site and stamp counts, and none is ever taken out, so as many rows as before
        are the same rows: the count finds a late one, whoever wrote it.

    Args:
        query: runs a statement on the store.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._tails: dict[str, _Tail] = {}
        self._lock = Lock()

    def between(self, site: str, start: int, end: int) -> list[Telemetry]:
        """The pulses with ``start <= stamp < end``, in µs, by stamp."""
        with self._lock:
            tail = self._tails.get(site)
            if tail is None or not self._covers(tail, site, start, end):
                return self._read(site, start, end, tail)
            if end > tail.end:
                self._extend(tail, site, end)
            low, high = tail.places(start, end)
            found = tail.pulses[low:high]
            tail.shorten()
            return found

    def _covers(self, tail: _Tail, site: str, start: int, end: int) -> bool:
        """Whether the beginning of a range is kept, and still is what the store has."""
        if not tail.start <= start <= tail.end:
            return False
        known = min(end, tail.end)
        low, high = tail.places(start, known)
        return bool(self._query(_COUNT, site, start, known)[0][0] == high - low)

    def _extend(self, tail: _Tail, site: str, end: int) -> None:
        found = self._query(_READ, site, tail.end, end)
        tail.end = end
        tail.stamps += [row[1] for row in found]
        tail.pulses += [telemetry_of(row) for row in found]

    def _read(self, site: str, start: int, end: int, tail: _Tail | None) -> list[Telemetry]:
        """Read all of it, and keep it unless it is too much, or older than what is kept."""
        older = tail is not None and end < tail.start
        until = end if older or tail is None else max(end, tail.end)
        found = self._query(_READ, site, start, until)
        fresh = _Tail(start, until, [row[1] for row in found], [telemetry_of(row) for row in found])
        if not older and len(found) <= KEPT:
            self._tails[site] = fresh
        low, high = fresh.places(start, end)
        return fresh.pulses[low:high]
