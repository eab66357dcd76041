"""The recent net load of many sites, as arrays: a ring a site, and its windows' sums kept up to date.

A new observation costs the same whatever the number of sites and the length of the windows: it
enters each window's sums, what has grown too old leaves them, and lags are read from the ring. All
of it in integers (:mod:`pipeline.fixed_point`), so that the rows equal those of
:func:`pipeline.features.feature_rows` bit for bit.

Positions count a site's observations from its first one on; the ring holds the newest of them.
Stamps are milliseconds modulo 2^32; ``first`` is the oldest position that a row may rest on, and a
silence longer than the retention moves it on, so that the ring never spans what the modulus cannot
tell apart.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices, Integers, Mask, previous, resized
from pipeline.features import LAGS, ROLLING_AT, WINDOWS_S, SiteEvents, gradient
from pipeline.fixed_point import WindowSums, mean_and_deviation, to_kw, to_quanta
from pipeline.timestamps import to_millis

SPARE_SLOTS: Final = 10
"""Beyond what the retention needs: so many observations of a site are taken in at once."""
LATE_CADENCES: Final = 10
"""How late an event may come by default, in cadences of its site."""
WIDEST: Final = 8
"""A ring grows to so many times its nominal size for a site that pulses faster than the cadence."""
RAMP_WINDOW_AT: Final = WINDOWS_S.index(1800)
_FAR: Final = 2**32 - 1
_LOW_32: Final = 2**32 - 1
_BACK: Final = np.arange(LAGS + 2)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a site's state must reach, in milliseconds.

    Attributes:
        cadence_ms: between two pulses.
        lateness_ms: how much older than the newest an event may be to be placed.
        retention_ms: the lateness, and what a row rests on before its event.
    """

    cadence_ms: int
    lateness_ms: int

    @classmethod
    def of(cls, cadence_s: float, lateness_s: float | None = None) -> "Reach":
        """The reach at a cadence in seconds; ten cadences of lateness when none is given."""
        late_s = LATE_CADENCES * cadence_s if lateness_s is None else lateness_s
        return cls(to_millis(cadence_s), to_millis(late_s))

    @property
    def retention_ms(self) -> int:
        """The lateness, and the windows or lags before a late event."""
        windows_ms = 1000 * max(WINDOWS_S) + self.cadence_ms
        return self.lateness_ms + max(windows_ms, (LAGS + 1) * self.cadence_ms)


@dataclass(frozen=True, slots=True)
class WindowRows:
    """What the windows make of some observations.

    Attributes:
        values: lags, means and deviations, gradient: the first columns of a feature row.
        change_kw: NL(t) − NL(t − 30 min); NaN where the earlier one is missing.
    """

    values: Floats
    change_kw: Floats


class WindowTable:
    """Rings and window sums of many sites; a site is a row.

    Args:
        reach: how far back it must reach.
    """

    _RINGS = ("_word", "_high")
    _ARRAYS = (*_RINGS, "_head", "_first", "_before_ms", "_newest_ms", "_tails", "_sums")

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._windows_ms = [1000 * window_s for window_s in WINDOWS_S]
        self._nominal = -(-reach.retention_ms // reach.cadence_ms) + 2 + SPARE_SLOTS
        self._slots = self._nominal
        # A word holds the stamp above the quanta's lower 32 bits; the other bits stand beside it.
        self._word = np.empty((0, self._slots), dtype=np.int64)
        self._high = np.empty((0, self._slots), dtype=np.int16)
        self._beyond_32_bits = False  # whether any site's quanta ever needed those
        self._head = np.empty(0, dtype=np.int32)
        self._first = np.empty(0, dtype=np.int32)
        self._before_ms = np.empty(0, dtype=np.int64)
        self._newest_ms = np.empty(0, dtype=np.int64)
        self._tails = np.empty((0, len(WINDOWS_S)), dtype=np.int32)
        self._sums = np.empty((0, len(WINDOWS_S), 3), dtype=np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in self._ARRAYS)

    def resize(self, sites: int) -> None:
        """Make room for so many rows; what is there stays."""
        for name in self._ARRAYS:
            setattr(self, name, resized(getattr(self, name), sites))

    def clear(self, row: int) -> None:
        """Forget a site."""
        self._head[row] = self._first[row] = self._before_ms[row] = self._newest_ms[row] = 0
        self._tails[row] = self._sums[row] = 0

    def widen(self) -> bool:
        """Double every ring; False where they are as wide as they may be."""
        if self._slots >= WIDEST * self._nominal:
            return False
        known = [self.events(row) for row in range(len(self._head))]
        self._slots *= 2
        for name in self._RINGS:
            array = getattr(self, name)
            setattr(self, name, np.zeros((len(array), self._slots), dtype=array.dtype))
        for row, events in enumerate(known):
            if len(events):
                self.load(row, events)
        return True

    # -- many observations, newest last ---------------------------------------------------------

    def crowded(self, rows: Indices, ordinal: Integers) -> Mask:
        """Which new observations would take the place of one that is still needed.

        Args:
            rows: their sites.
            ordinal: how many come before each one of the same site.
        """
        position = self._head[rows] + ordinal - self._slots + 1
        there = position >= np.maximum(self._first[rows], 0)
        age = self._age(self._newest_ms[rows], rows, np.maximum(position, 0))
        return np.asarray(there & (age <= self._reach.retention_ms))

    def advance(self, rows: Indices, ts_ms: Integers, quanta: Integers, ordinal: Integers) -> WindowRows:
        """Take observations that are newer than all before them.

        Args:
            rows: their sites, sorted; at most :data:`SPARE_SLOTS` of one site, none of them crowded.
            ts_ms: milliseconds since 1970, ascending within a site.
            quanta: net load.
            ordinal: how many come before each one of the same site.

        Returns:
            One row each.
        """
        leads = ordinal == 0
        ends = np.append(leads[1:], True)
        position = self._head[rows] + ordinal
        earlier_ms = previous(ts_ms, leads, self._newest_ms[rows])
        known = position > 0
        silent = known & (ts_ms - earlier_ms > self._reach.retention_ms)
        first = self._firsts(rows, position, silent)
        self._write(rows, position, ts_ms, quanta)
        lowest = np.maximum(first, _spread(position, ends) - self._slots + 1)
        values = np.empty((len(rows), ROLLING_AT + 2 * len(WINDOWS_S) + 1))
        self._lags(rows, position, lowest, ts_ms, values)
        entering = WindowSums.of_values(quanta)
        stacked = np.stack([entering.total, entering.squares, entering.high], axis=1)
        tails = []
        for w, window_ms in enumerate(self._windows_ms):
            guess = np.clip(self._tails[rows, w] + ordinal + 1, lowest, position)
            tails.append(self._tail(guess, rows, lowest, position, ts_ms, window_ms=window_ms))
        for w, tail in enumerate(tails):
            sums = stacked - self._left(rows, previous(tail, leads, self._tails[rows, w]), tail)
            sums = _running(sums, leads) + self._sums[rows, w]
            counts = (position - tail + 1).astype(np.int64)
            column = ROLLING_AT + 2 * w
            values[:, column], values[:, column + 1] = mean_and_deviation(counts, WindowSums(*sums.T))
            self._sums[rows[ends], w] = sums[ends]
            self._tails[rows[ends], w] = tail[ends]
        one_before = self._quanta(rows, np.maximum(position - 1, 0))
        elapsed_us = np.where(known, ts_ms - earlier_ms, 0) * 1000
        values[:, -1] = gradient(quanta - one_before, elapsed_us)
        change_kw = self._change(rows, tails[RAMP_WINDOW_AT], lowest, ts_ms, quanta)
        self._before_ms[rows[silent]] = earlier_ms[silent]
        self._head[rows[ends]] = position[ends] + 1
        self._first[rows[ends]] = first[ends]
        self._newest_ms[rows[ends]] = ts_ms[ends]
        return WindowRows(values, change_kw)

    def _firsts(self, rows: Indices, position: Integers, silent: Mask) -> Integers:
        """The oldest position that each event may rest on."""
        first = self._first[rows].astype(np.int64)
        if not silent.any():
            return first
        step = 2**33  # beyond any position, so that a later site's never looks smaller
        base = rows.astype(np.int64) * step
        return np.asarray(np.maximum.accumulate(np.where(silent, position, first) + base) - base)

    def _tail(
        self,
        guess: Integers,
        rows: Indices,
        lowest: Integers,
        position: Integers,
        ts_ms: Integers,
        *,
        window_ms: int,
    ) -> Integers:
        """The first position inside each event's window; as a rule it is one on from the last time."""
        inside = self._age(ts_ms, rows, guess) < window_ms
        before = self._age(ts_ms, rows, np.maximum(guess - 1, 0)) >= window_ms
        wrong = np.flatnonzero(~(inside & (before | (guess == lowest))))
        if len(wrong):
            limit_ms = np.full(len(wrong), window_ms)
            guess[wrong] = self._first_younger(
                rows[wrong], lowest[wrong], position[wrong], ts_ms[wrong], limit_ms
            )
        return guess

    def _first_younger(
        self, rows: Indices, lowest: Integers, position: Integers, ts_ms: Integers, age_ms: Integers
    ) -> Integers:
        """By bisection the first position from ``lowest`` on whose age is below ``age_ms``."""
        low, high = lowest.copy(), position.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            young = self._age(ts_ms, rows, middle) < age_ms
            high = np.where(open_ & young, middle, high)
            low = np.where(open_ & ~young, middle + 1, low)
        return low

    def _left(self, rows: Indices, start: Integers, end: Integers) -> Integers:
        """Sums of what left a window when its tail went from ``start`` to ``end``, three columns."""
        counts = end - start
        if (counts == 1).all():  # as it is for a steady pulse
            gone = WindowSums.of_values(self._quanta(rows, start))
            return np.stack([gone.total, gone.squares, gone.high], axis=1)
        ends = np.cumsum(counts)
        owner = np.repeat(np.arange(len(rows)), counts)
        position = start[owner] + np.arange(len(owner)) - (ends - counts)[owner]
        gone = WindowSums.of_values(self._quanta(rows[owner], position))
        total = np.zeros((len(owner) + 1, 3), dtype=np.int64)
        np.cumsum(np.stack([gone.total, gone.squares, gone.high], axis=1), axis=0, out=total[1:])
        return np.asarray(total[ends] - total[ends - counts])

    def _lags(
        self, rows: Indices, position: Integers, lowest: Integers, ts_ms: Integers, values: Floats
    ) -> None:
        """Fill the lag columns: the observation nearest to each lag's time, within half a cadence."""
        back = position[:, None] - _BACK
        # The oldest of these is less than a ring before the newest: one turn brings it back.
        slot = (position % self._slots)[:, None] - _BACK
        slot[slot < 0] += self._slots
        place = slot + (rows * self._slots)[:, None]
        word = self._word.reshape(-1).take(place)
        # In 32 bits, as the stamps are: these few lie far less than 2^31 ms apart.
        due = (ts_ms[:, None] - self._reach.cadence_ms * _BACK).astype(np.uint32)
        off = np.abs((due - (word >> 32).astype(np.uint32)).view(np.int32)).view(np.uint32)
        if (back[:, -1] < lowest).any():
            off[back < lowest[:, None]] = _FAR
        found = to_kw(self._quanta_of(word[:, 1:-1], place[:, 1:-1]))
        # All within a quarter of a cadence of their places: then none is nearer to another's.
        odd = np.flatnonzero(4 * off.max(axis=1).astype(np.int64) >= self._reach.cadence_ms)
        off = off[:, 1:-1]
        if len(odd):
            wanted = np.tile(self._reach.cadence_ms * _BACK[1:-1], len(odd))
            event = np.repeat(odd, LAGS)
            nearest, distance = self._nearest(
                rows[event], lowest[event], position[event], ts_ms[event], wanted
            )
            off[odd] = distance.reshape(-1, LAGS)
            found[odd] = to_kw(self._quanta(rows[event], nearest)).reshape(-1, LAGS)
        values[:, :LAGS] = np.where(off <= self._reach.cadence_ms // 2, found, np.nan)

    def _nearest(
        self, rows: Indices, lowest: Integers, position: Integers, ts_ms: Integers, age_ms: Integers
    ) -> tuple[Integers, Integers]:
        """The position whose age is nearest to ``age_ms`` (the earlier of two), and by how much it is off."""
        after = self._first_younger(rows, lowest, position, ts_ms, age_ms + 1)
        before = np.maximum(after - 1, lowest)
        off_after = np.abs(self._age(ts_ms, rows, after) - age_ms)
        off_before = np.abs(self._age(ts_ms, rows, before) - age_ms)
        return np.where(off_before <= off_after, before, after), np.minimum(off_before, off_after)

    def _change(
        self, rows: Indices, tail: Integers, lowest: Integers, ts_ms: Integers, quanta: Integers
    ) -> Floats:
        """NL(t) − NL(t − 30 min): the earlier one is the window's first, or the one before it."""
        window_ms = self._windows_ms[RAMP_WINDOW_AT]
        before = np.maximum(tail - 1, lowest)
        off_after = np.abs(self._age(ts_ms, rows, tail) - window_ms)
        off_before = np.abs(self._age(ts_ms, rows, before) - window_ms)
        found = np.where(off_before <= off_after, before, tail)
        change_kw = to_kw(quanta - self._quanta(rows, found))
        near = 2 * np.minimum(off_before, off_after) <= self._reach.cadence_ms
        return np.asarray(np.where(near, change_kw, np.nan))

    # -- the ring -------------------------------------------------------------------------------

    def _places(self, rows: Indices, position: Integers) -> Indices:
        return np.asarray(rows * self._slots + position % self._slots)

    def _age(self, ts_ms: Integers, rows: Indices, position: Integers) -> Integers:
        """How much older than ``ts_ms`` what stands at a position is."""
        return _age_of(ts_ms, self._word.reshape(-1).take(self._places(rows, position)))

    def _quanta(self, rows: Indices, position: Integers) -> Integers:
        place = self._places(rows, position)
        return self._quanta_of(self._word.reshape(-1).take(place), place)

    def _quanta_of(self, word: Integers, place: Indices) -> Integers:
        if not self._beyond_32_bits:
            return word.astype(np.int32).astype(np.int64)
        high = self._high.reshape(-1).take(place).astype(np.int64)
        return np.asarray((high << 32) | (word & _LOW_32))

    def _write(self, rows: Indices, position: Integers, ts_ms: Integers, quanta: Integers) -> None:
        self._beyond_32_bits |= bool((quanta != quanta.astype(np.int32)).any())
        place = self._places(rows, position)
        self._word.reshape(-1)[place] = (ts_ms << 32) | (quanta & _LOW_32)
        self._high.reshape(-1)[place] = quanta >> 32

    # -- one site -------------------------------------------------------------------------------

    def events(self, row: int) -> SiteEvents:
        """What the ring holds of a site; only its net load is known here."""
        head, first = int(self._head[row]), int(self._first[row])
        position = np.arange(max(first, head - self._slots), head)
        rows = np.full(len(position), row)
        newest = np.full(len(position), self._newest_ms[row])
        ts_ms = newest - self._age(newest, rows, position)
        quanta = self._quanta(rows, position)
        if first > 0 and head - first < self._slots:  # the last one before a silence
            before = self._quanta(np.array([row]), np.array([first - 1]))
            ts_ms, quanta = np.append(self._before_ms[row], ts_ms), np.append(before, quanta)
        missing = np.full(len(ts_ms), np.nan)
        return SiteEvents(ts_ms * 1000, to_kw(quanta), missing, missing, missing)

    def has_room(self, events: SiteEvents) -> bool:
        """Whether a ring holds all that is still needed of a site's observations."""
        needed_from = events.ts_us[-1] - 1000 * self._reach.retention_ms
        return int(np.sum(events.ts_us >= needed_from)) + 1 < self._slots

    def load(self, row: int, events: SiteEvents) -> None:
        """Set a site to these observations; the oldest are left out where a ring is too small.

        Args:
            row: the site.
            events: at least one.
        """
        ts_ms = events.ts_us[-self._slots + 1 :] // 1000
        quanta = to_quanta(events.net_load_kw[-self._slots + 1 :])
        count, newest = len(ts_ms), ts_ms[-1]
        self.clear(row)
        self._write(np.full(count, row), np.arange(count), ts_ms, quanta)
        gaps = np.flatnonzero(np.diff(ts_ms) > self._reach.retention_ms)
        if len(gaps):
            self._first[row], self._before_ms[row] = gaps[-1] + 1, ts_ms[gaps[-1]]
        self._head[row], self._newest_ms[row] = count, newest
        sums = WindowSums.of_values(quanta)
        stacked = np.stack([sums.total, sums.squares, sums.high], axis=1)
        for w, window_ms in enumerate(self._windows_ms):
            tail = int(np.searchsorted(ts_ms, newest - window_ms, side="right"))
            self._tails[row, w], self._sums[row, w] = tail, stacked[tail:].sum(axis=0)


def _age_of(ts_ms: Integers, word: Integers) -> Integers:
    """How much older than ``ts_ms`` what a word holds is, modulo 2^32."""
    return np.asarray((ts_ms - (word >> 32)) & _LOW_32)


def _spread(values: Integers, ends: Mask) -> Integers:
    """For each event the value at its site's last event."""
    if ends.all():
        return values
    last = np.flatnonzero(ends)
    return np.asarray(values[np.repeat(last, np.diff(last, prepend=-1))])


def _running(values: Integers, leads: Mask) -> Integers:
    """Cumulative sums that begin anew at each site's first event."""
    if leads.all():
        return values
    total = np.cumsum(values, axis=0)
    starts = np.flatnonzero(leads)
    before = np.concatenate([np.zeros((1, values.shape[1]), dtype=values.dtype), total])[starts]
    return np.asarray(total - np.repeat(before, np.diff(starts, append=len(leads)), axis=0))
