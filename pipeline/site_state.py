"""The stream's memory of one site: recent events by event time, bounded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from grid.telemetry import Telemetry
from grid.units import RAMP_WINDOW_S
from pipeline.errors import MessageError
from pipeline.features import LAGS, WINDOWS_S, Floats, Indices, SiteEvents, feature_rows, nearest, values_at
from pipeline.store import FEATURE_STORE_ROWS
from pipeline.timestamps import MICROS_PER_SECOND, from_micros, to_micros

_COLUMNS = ("net_load_kw", "load_kw", "solar_kw", "wind_kw")


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted event.

    Attributes:
        pulse: the event.
        in_order: whether it was newer than everything before it.
        row: its place in the batch's rows; None where it has no net load.
    """

    pulse: Telemetry
    in_order: bool
    row: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that cannot be taken: its place in what was given, and why."""

    place: int
    error: MessageError


@dataclass(frozen=True, slots=True)
class SiteBatch:
    """What a site made of some events.

    Attributes:
        placed: the accepted ones, in the order given.
        rows: feature rows of those with a net load.
        change_kw: NL(t) − NL(t − 30 min) of the same; NaN where the earlier one is missing.
        duplicates: how many were there already, with the same values.
        refused: conflicts, and those too late to be placed.
    """

    placed: list[Placed]
    rows: Floats
    change_kw: Floats
    duplicates: int
    refused: list[Refused]


class SiteState:
    """Recent events of one site.

    Invariants:
        Whether an event is accepted, and its feature row, depend on the events before it alone,
        not on how they were batched. It holds all that a row of an event within the lateness
        can rest on, at least the last 50 observations, and no more than that needs.

    Args:
        cadence_s: the site's nominal cadence in seconds.
        site_tz: its IANA time zone.
        known: events that were accepted before, e.g. from the store after a restart.
    """

    def __init__(self, *, cadence_s: float, site_tz: str, known: Iterable[Telemetry] = ()) -> None:
        self._cadence_s = cadence_s
        self._site_tz = site_tz
        self._lateness_us, self._retention_us = lateness_and_retention_us(cadence_s)
        self._by_time: dict[int, Telemetry] = {}
        self._ts_us = np.empty(0, dtype=np.int64)
        self._values = np.empty((len(_COLUMNS), 0))
        self._newest_us: int | None = None
        restored = sorted(known, key=lambda pulse: pulse.ts_utc)
        if restored:
            for pulse in restored:
                self._remember(to_micros(pulse.ts_utc), pulse)
            self._append([pulse for pulse in restored if pulse.net_load_kw is not None])

    def __len__(self) -> int:
        """How many observations with a net load it holds."""
        return len(self._ts_us)

    def accept(self, pulses: Sequence[Telemetry]) -> SiteBatch:
        """Take events in the order of their offsets: duplicates out, late ones to their place."""
        placed: list[Placed] = []
        refused: list[Refused] = []
        rows: list[Floats] = []
        changes: list[Floats] = []
        run: list[Telemetry] = []
        duplicates = row_count = 0

        def flush(late: Telemetry | None = None) -> None:
            """Compute the rows of the run of in-order events, or of one late event."""
            at = self._append(run) if late is None else self._insert(late)
            rows.append(self._rows(at))
            changes.append(self._changes(at))
            run.clear()

        for place, pulse in enumerate(pulses):
            ts_us = to_micros(pulse.ts_utc)
            try:
                in_order = self._admit(ts_us, pulse)
            except MessageError as error:
                refused.append(Refused(place, error))
                continue
            if in_order is None:
                duplicates += 1
                continue
            self._remember(ts_us, pulse)
            has_row = pulse.net_load_kw is not None
            placed.append(Placed(pulse, in_order, row_count if has_row else None))
            if not has_row:
                continue
            row_count += 1
            if in_order:
                run.append(pulse)
            else:
                flush()
                flush(pulse)
        flush()
        self._evict()
        return SiteBatch(placed, np.concatenate(rows), np.concatenate(changes), duplicates, refused)

    def _admit(self, ts_us: int, pulse: Telemetry) -> bool | None:
        """True for a newer event, False for a late one, None for a duplicate.

        Raises:
            MessageError: for a conflict, or an event too late to be placed.
        """
        if self._newest_us is None or ts_us > self._newest_us:
            return True
        if ts_us < self._newest_us - self._lateness_us:
            lateness_s = self._lateness_us // MICROS_PER_SECOND
            raise MessageError(
                "too_late",
                f"ts_utc: {pulse.ts_utc.isoformat()} lies more than {lateness_s} s "
                f"before the site's newest event {from_micros(self._newest_us).isoformat()}; send it in time",
            )
        first = self._by_time.get(ts_us)
        if first is None:
            return False
        if first != pulse:
            raise MessageError(
                "conflict",
                f"ts_utc: {pulse.ts_utc.isoformat()} was accepted with other values; the first counts",
            )
        return None

    def _remember(self, ts_us: int, pulse: Telemetry) -> None:
        self._by_time[ts_us] = pulse
        if self._newest_us is None or ts_us > self._newest_us:
            self._newest_us = ts_us

    def _append(self, run: Sequence[Telemetry]) -> Indices:
        """Add events that are newer than all; their indices."""
        before = len(self._ts_us)
        if run:
            ts_us = np.array([to_micros(pulse.ts_utc) for pulse in run], dtype=np.int64)
            self._ts_us = np.concatenate([self._ts_us, ts_us])
            self._values = np.concatenate([self._values, _values_of(run)], axis=1)
        return np.arange(before, len(self._ts_us))

    def _insert(self, late: Telemetry) -> Indices:
        """Add one event at its place by event time; its index."""
        ts_us = to_micros(late.ts_utc)
        place = int(np.searchsorted(self._ts_us, ts_us))
        self._ts_us = np.insert(self._ts_us, place, ts_us)
        self._values = np.insert(self._values, place, _values_of([late])[:, 0], axis=1)
        return np.array([place])

    def _events(self) -> SiteEvents:
        return SiteEvents(self._ts_us, *self._values)

    def _rows(self, at: Indices) -> Floats:
        return feature_rows(self._events(), at, cadence_s=self._cadence_s, site_tz=self._site_tz)

    def _changes(self, at: Indices) -> Floats:
        half_cadence_us = round(self._cadence_s * MICROS_PER_SECOND) // 2
        earlier = nearest(self._ts_us, self._ts_us[at] - RAMP_WINDOW_S * MICROS_PER_SECOND, half_cadence_us)
        net_load_kw = self._values[0]
        return np.asarray(net_load_kw[at] - values_at(net_load_kw, earlier))

    def _evict(self) -> None:
        """Forget what no row of an event within the lateness can rest on."""
        if self._newest_us is None:
            return
        horizon_us = self._newest_us - self._retention_us
        # One observation before the horizon stays: after a gap it is the gradient's previous one.
        needed_from = int(np.searchsorted(self._ts_us, horizon_us)) - 1
        surplus = min(needed_from, len(self._ts_us) - FEATURE_STORE_ROWS)
        if surplus > 0:
            self._ts_us = self._ts_us[surplus:].copy()
            self._values = np.ascontiguousarray(self._values[:, surplus:])
        while (oldest := next(iter(self._by_time))) < horizon_us:
            del self._by_time[oldest]


def lateness_and_retention_us(cadence_s: float) -> tuple[int, int]:
    """How late an event may come and be placed, and how far back the state reaches, in microseconds."""
    reach_s = max(max(WINDOWS_S) + cadence_s, (LAGS + 1) * cadence_s)
    lateness_s = max(float(RAMP_WINDOW_S), LAGS * cadence_s)
    return round(lateness_s * MICROS_PER_SECOND), round((lateness_s + reach_s) * MICROS_PER_SECOND)


def restored_from(newest: datetime, cadence_s: float) -> datetime:
    """From when on a restarted stream reads a site's events back, given its newest stamp."""
    return newest - timedelta(microseconds=lateness_and_retention_us(cadence_s)[1])


def _values_of(pulses: Sequence[Telemetry]) -> Floats:
    return np.array([[getattr(pulse, name) for pulse in pulses] for name in _COLUMNS], dtype=np.float64)
