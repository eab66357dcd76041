"""Follows the instability of all sites at once, observation by observation in the order of time.

Only a site that gives cause has a state; the others cost nothing but the look at their numbers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from grid.frequency import FREQUENCY_DEADBAND_HZ
from pipeline.arrays import Floats, Indices, Integers, ordinals, resized
from pipeline.forecast import probability_beyond
from pipeline.instability import (
    BEGINS_AT_PROBABILITY,
    CALM_BEFORE_END,
    CRITICAL_FACTOR,
    NOMINAL_HZ,
    EventKind,
    InstabilityEvent,
    event_id,
)
from pipeline.timestamps import from_micros, to_micros

_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)
_NONE: Final = -1
_CALM_MS: Final = round(CALM_BEFORE_END.total_seconds() * 1000)
_STATE: Final = np.dtype(
    [
        ("kind", np.int8),
        ("started_ms", np.int64),
        ("last_cause_ms", np.int64),
        ("ended_ms", np.int64),
        ("worst_kw", np.float64),
        ("critical", np.bool_),
    ]
)
"""An event's columns; ``ended_ms`` is -1 while it lasts, ``worst_kw`` NaN where only the frequency speaks."""

_GROWTH: Final = 1.25
_NOWHERE: Final[Indices] = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class ChangedEvents:
    """Events that began, changed or ended with some observations, each once, as they are now.

    Attributes:
        places: of an observation of each one's site.
        states: one an event.
    """

    places: Indices
    states: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.places)

    def events(self, sites: Sequence[str]) -> Iterator[InstabilityEvent]:
        """The events as the store takes them.

        Args:
            sites: of the observations.
        """
        for place, state in zip(self.places.tolist(), self.states, strict=True):
            started_at = from_micros(int(state["started_ms"]) * 1000)
            yield InstabilityEvent(
                event_id=event_id(sites[place], started_at),
                site=sites[place],
                kind=_KINDS[state["kind"]],
                started_at=started_at,
                ended_at=None if state["ended_ms"] < 0 else from_micros(int(state["ended_ms"]) * 1000),
                severity="critical" if state["critical"] else "warning",
                cause_kw=None if np.isnan(state["worst_kw"]) else float(state["worst_kw"]),
            )


class InstabilityWatch:
    """Open events by site; a site is a row.

    Args:
        ramp_limit_kw: size of a 30-minute change that is too much.
    """

    def __init__(self, ramp_limit_kw: float) -> None:
        self._limit_kw = ramp_limit_kw
        self._slot = np.empty(0, dtype=np.int32)  # of a row in the states; 0 without one
        self._states = np.zeros(1, dtype=_STATE)
        self._free: list[int] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self._slot.nbytes + self._states.nbytes

    def resume(self, row: int, event: InstabilityEvent) -> None:
        """Go on with an event that was open when the site's state was lost."""
        self._room_for(row)
        started_ms = to_micros(event.started_at) // 1000
        worst_kw = np.nan if event.cause_kw is None else event.cause_kw
        critical = event.severity == "critical"
        slot = self._take(1)
        self._slot[row] = slot[0]
        self._states[slot] = (_KINDS.index(event.kind), started_ms, started_ms, -1, worst_kw, critical)

    def forget(self, rows: Iterable[int]) -> None:
        """Forget sites that another process follows."""
        known = np.fromiter((row for row in rows if row < len(self._slot)), dtype=np.intp)
        self._release(known)

    def follow(
        self, rows: Indices, ts_ms: Integers, *, change_kw: Floats, bands_kw: Floats, frequency_hz: Floats
    ) -> ChangedEvents:
        """Take observations, each newer than all before of its site.

        Args:
            rows: their sites.
            ts_ms: their times, in milliseconds since 1970.
            change_kw: over the last 30 minutes; NaN is missing.
            bands_kw: the forecasts' columns P10, P50, P90; NaN where there is none.
            frequency_hz: measured; NaN is missing.
        """
        if not len(rows):
            return _last_of_each([], rows)
        self._room_for(int(rows.max()))
        kinds, causes_kw = self._causes(change_kw, bands_kw, frequency_hz)
        caused = rows[kinds != _NONE]
        fresh = np.unique(caused[self._slot[caused] == 0])
        slots = self._take(len(fresh))
        self._slot[fresh] = slots
        self._states["kind"][slots] = _NONE
        places = np.flatnonzero(self._slot[rows])
        changed = [
            self._step(turn, self._slot[rows[turn]], ts_ms, kinds, causes_kw)
            for turn in _turns(places, rows[places])
        ]
        closed = rows[places]
        self._release(np.unique(closed[self._states["kind"][self._slot[closed]] == _NONE]))
        return _last_of_each(changed, rows)

    def _causes(
        self, change_kw: Floats, bands_kw: Floats, frequency_hz: Floats
    ) -> tuple[NDArray[np.int8], Floats]:
        """By which kind each observation gives cause, -1 for none, and by what change.

        A measured change speaks before an expected one, that before the frequency, which has none.
        """
        off_hz = np.min([np.abs(frequency_hz - nominal) for nominal in NOMINAL_HZ], axis=0)
        kinds = np.where(off_hz > FREQUENCY_DEADBAND_HZ, _KINDS.index("frequency"), _NONE).astype(np.int8)
        causes_kw = np.full(len(kinds), np.nan)
        expected = probability_beyond(bands_kw, self._limit_kw) >= BEGINS_AT_PROBABILITY
        expected &= ~np.isnan(bands_kw[:, 1])
        kinds[expected], causes_kw[expected] = _KINDS.index("forecast_ramp"), bands_kw[expected, 1]
        measured = np.abs(change_kw) > self._limit_kw
        kinds[measured], causes_kw[measured] = _KINDS.index("measured_ramp"), change_kw[measured]
        return kinds, causes_kw

    def _step(
        self,
        places: Indices,
        slots: NDArray[np.int32],
        ts_ms: Integers,
        kinds: NDArray[np.int8],
        causes_kw: Floats,
    ) -> ChangedEvents:
        """Take one observation of each of some sites that have a state."""
        states, now_ms = self._states[slots], ts_ms[places]
        kind, cause_kw = kinds[places], causes_kw[places]
        gives_cause, is_open = kind != _NONE, states["kind"] != _NONE
        begins = gives_cause & ~is_open
        states["kind"][begins], states["started_ms"][begins] = kind[begins], now_ms[begins]
        states["ended_ms"][begins], states["critical"][begins] = -1, False
        states["worst_kw"][begins] = np.nan
        larger = gives_cause & (np.abs(cause_kw) > np.nan_to_num(np.abs(states["worst_kw"])))
        larger |= begins & ~np.isnan(cause_kw)
        states["worst_kw"][larger] = cause_kw[larger]
        states["critical"] |= np.abs(states["worst_kw"]) >= CRITICAL_FACTOR * self._limit_kw
        states["last_cause_ms"][gives_cause] = now_ms[gives_cause]
        ends = ~gives_cause & is_open & (now_ms - states["last_cause_ms"] >= _CALM_MS)
        states["ended_ms"][ends] = now_ms[ends]
        changed = np.flatnonzero(begins | larger | ends)
        found = ChangedEvents(places[changed], states[changed])
        states["kind"][ends] = _NONE
        self._states[slots] = states
        return found

    # -- states -----------------------------------------------------------------------------------

    def _room_for(self, row: int) -> None:
        if row >= len(self._slot):
            self._slot = resized(self._slot, max(row + 1, round(_GROWTH * len(self._slot))))

    def _take(self, count: int) -> Indices:
        """Free states."""
        if count > len(self._free):
            before = len(self._states)
            self._states = resized(self._states, round(_GROWTH * before) + count)
            self._free += range(len(self._states) - 1, before - 1, -1)
        taken = self._free[len(self._free) - count :]
        del self._free[len(self._free) - count :]
        return np.array(taken, dtype=np.intp)

    def _release(self, rows: Indices) -> None:
        held = self._slot[rows]
        self._free += held[held > 0].tolist()
        self._slot[rows] = 0


def _turns(places: Indices, rows: Indices) -> Iterator[Indices]:
    """One observation of each site at a time."""
    order = np.argsort(rows, kind="stable")
    ordinal = ordinals(rows[order])
    for number in range(int(ordinal.max(initial=-1)) + 1):
        yield places[order[ordinal == number]]


def _last_of_each(changed: Sequence[ChangedEvents], rows: Indices) -> ChangedEvents:
    """The last word on each event; one of a site may end and the next begin."""
    places = np.concatenate([_NOWHERE, *(turn.places for turn in changed)])
    states = np.concatenate([np.empty(0, dtype=_STATE), *(turn.states for turn in changed)])
    if len(changed) < 2:
        return ChangedEvents(places, states)
    newest_first = np.arange(len(places))[::-1]
    keys = np.stack([rows[places], states["started_ms"]], axis=1)[newest_first]
    kept = np.sort(newest_first[np.unique(keys, axis=0, return_index=True)[1]])
    return ChangedEvents(places[kept], states[kept])
