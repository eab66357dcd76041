"""The stream's memory of all sites: which events are accepted, and the feature rows that they make.

Invariants:
    Whether an event is accepted, and its feature row, depend on the site's events of lower offset
    in its partition alone, not on how they were batched or which other sites there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

import numpy as np

from grid.telemetry import Telemetry
from pipeline.arrays import Floats, Indices, Integers, Mask, ordinals, previous, resized
from pipeline.errors import MessageError
from pipeline.features import (
    FEATURE_NAMES,
    GRADIENT_AT,
    SiteEvents,
    feature_rows,
    hour,
    penetration,
    ramp_kw,
)
from pipeline.fixed_point import to_kw, to_quanta
from pipeline.forecasting.seasonal_memory import SeasonalMemory, SeasonalNeed
from pipeline.forecasting.slot_table import ClosedSlots
from pipeline.messages import VALUE_NAMES
from pipeline.pulse_batch import LOAD, NET_LOAD, SOLAR, WIND, PulseBatch, Refused
from pipeline.recent_stamps import Fingerprints, RecentStamps, Seen, fingerprints
from pipeline.recovery import NO_OBSERVATION, RebuildMarks
from pipeline.store import SlotSum
from pipeline.stream_model import FeatureBatch
from pipeline.timestamps import from_micros, to_micros
from pipeline.window_table import SPARE_SLOTS, Reach, WindowTable

_GROWTH = 1.25
_FEWEST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch of pulses.

    Attributes:
        taken: which pulses were accepted.
        in_order: which of them were newer than everything before of their site.
        issuing: places in the batch of the pulses that have a net load, ascending.
        features: of the same.
        closed: slots of the seasonal memory that closed.
        duplicates: how many were there already, with the same values.
        refused: conflicts, and what cannot be placed; by place of the record.
    """

    taken: Mask
    in_order: Mask
    issuing: Indices
    features: FeatureBatch
    closed: ClosedSlots
    duplicates: int
    refused: list[Refused]


@dataclass(slots=True)
class _Made:
    """What a batch's pulses give, by place: feature columns, 30-minute change, seasonal inputs."""

    features: Floats
    change_kw: Floats
    seasonal: Floats
    closed: list[ClosedSlots]


@dataclass(slots=True)
class _Sorted:
    """A batch ordered by site, each site's pulses in the order of their offsets."""

    order: Indices
    rows: Indices
    ts_ms: Integers
    quanta: Integers
    has_net_load: Mask
    prints: Fingerprints
    advancing: Mask
    stage: Integers


class SiteTable:
    """State of every site that this process reads; a site is a row of all its arrays.

    Args:
        reach: the sites' cadence, and how late an event may come.
        site_tz: IANA time zone of the sites that have none of their own.
        time_zones: of those that have.
        seasonal: what seasonal inputs are wanted beside.
    """

    def __init__(
        self,
        reach: Reach,
        *,
        site_tz: str,
        time_zones: Mapping[str, str] | None = None,
        seasonal: SeasonalNeed | None = None,
    ) -> None:
        self.reach = reach
        self.seasonal = None if seasonal is None else SeasonalMemory(seasonal, reach.lateness_ms / 1000.0)
        self.marks = RebuildMarks(self.reach_ms)
        self._windows = WindowTable(reach)
        self._recent = RecentStamps(reach)
        self._newest_ms = np.empty(0, dtype=np.int64)
        self._zone = np.empty(0, dtype=np.uint8)
        self._zones = [site_tz]
        self._zone_of = dict(time_zones or {})
        self._partitions: dict[int, dict[str, int]] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        """How many sites it knows."""
        return sum(len(sites) for sites in self._partitions.values())

    @property
    def capacity(self) -> int:
        """For how many sites it has room before it grows."""
        return len(self._newest_ms)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = self._newest_ms.nbytes + self._zone.nbytes
        return arrays + sum(part.nbytes for part in self._parts())

    def _parts(self) -> "Sequence[WindowTable | RecentStamps | RebuildMarks | SeasonalMemory]":
        parts = (self._windows, self._recent, self.marks)
        return parts if self.seasonal is None else (*parts, self.seasonal)

    # -- which sites there are ------------------------------------------------------------------

    def sites(self, partition: int) -> Mapping[str, int]:
        """Rows of a partition's sites."""
        return self._partitions.setdefault(partition, {})

    def find(self, partition: int, names: Sequence[str]) -> list[int]:
        """Rows of some sites; −1 for one that is not known."""
        known = self._partitions.setdefault(partition, {})
        return list(map(known.get, names, repeat(-1)))

    def add(self, partition: int, name: str, offset: int) -> int:
        """A row for a site whose first record has this offset."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._partitions.setdefault(partition, {})[name] = row
        self._newest_ms[row] = -1
        self._windows.clear(row)
        self._recent.clear(row)
        if self.seasonal is not None:
            self.seasonal.clear(row)
        self.marks.begin(row, offset)
        self._zone[row] = self._zone_index(name)
        return row

    def release(self, partition: int) -> list[int]:
        """Forget a partition's sites; their rows."""
        rows = list(self._partitions.pop(partition, {}).values())
        self._free += rows
        return rows

    def _zone_index(self, name: str) -> int:
        zone = self._zone_of.get(name, self._zones[0])
        if zone not in self._zones:
            self._zones.append(zone)
        return self._zones.index(zone)

    def _grow(self) -> None:
        before = len(self._newest_ms)
        after = max(_FEWEST_ROWS, round(before * _GROWTH))
        for part in self._parts():
            part.resize(after)
        self._newest_ms, self._zone = resized(self._newest_ms, after), resized(self._zone, after)
        self._free += range(after - 1, before - 1, -1)

    # -- events ---------------------------------------------------------------------------------

    @property
    def reach_ms(self) -> int:
        """How far back from a site's newest event its state rests on events."""
        return max(self.reach.retention_ms, 0 if self.seasonal is None else self.seasonal.reach_ms)

    def recall(self, row: int, slots: Sequence[SlotSum], first: datetime) -> None:
        """Give a new site the slots that a store holds of it.

        Args:
            row: the site.
            slots: closed ones.
            first: time of the first event that will be given.
        """
        if self.seasonal is not None:
            self.seasonal.recall(row, slots, to_micros(first))

    def starts_of(self, closed: ClosedSlots) -> list[datetime]:
        """When closed slots began."""
        slot_us = 0 if self.seasonal is None else self.seasonal.slot_us
        return [from_micros(slot * slot_us) for slot in closed.slots.tolist()]

    def restore(self, row: int, known: Sequence[Telemetry]) -> None:
        """Set a new site to events that were accepted before.

        Args:
            row: the site.
            known: at least one, in the order of time.
        """
        ts_ms = np.array([to_micros(pulse.ts_utc) // 1000 for pulse in known])
        values = np.array(
            [[getattr(pulse, name) for pulse in known] for name in VALUE_NAMES], dtype=np.float64
        )
        self._newest_ms[row] = ts_ms[-1]
        late_from = int(np.searchsorted(ts_ms, ts_ms[-1] - self.reach.lateness_ms))
        for i in range(late_from, len(known)):
            self._remember(np.array([row]), ts_ms[i : i + 1], fingerprints(values[:, i : i + 1]))
        usable = np.flatnonzero(~np.isnan(values[NET_LOAD]))
        if len(usable):
            events = _events_of(ts_ms[usable], values[NET_LOAD, usable])
            while not self._windows.has_room(events) and self._windows.widen():
                pass
            self._windows.load(row, events)
            if self.seasonal is not None:
                rows, quanta = np.full(len(usable), row), to_quanta(values[NET_LOAD, usable])
                self.seasonal.add(rows, ts_ms[usable] * 1000, quanta)

    def accept(self, batch: PulseBatch, rows: Indices, end_offsets: Integers) -> Accepted:
        """Take pulses in the order of their offsets: duplicates out, late ones to their place.

        Args:
            batch: the pulses.
            rows: of their sites.
            end_offsets: where the next batch of each one's partition begins.
        """
        count = len(batch)
        taken, in_order = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        made = self._blank(count)
        duplicates = 0
        refused: list[Refused] = []
        work = self._sort(batch, rows)
        for advancing, chosen in _steps(work):
            places = work.order[chosen]
            if advancing:
                kept = self._advance(work, chosen, made)
                taken[places[kept]] = in_order[places[kept]] = True
                dense = places[~kept]
            else:
                seen = self._recent.seen(work.rows[chosen], work.ts_ms[chosen], work.prints[chosen])
                too_late = work.ts_ms[chosen] < self._newest_ms[work.rows[chosen]] - self.reach.lateness_ms
                seen[too_late] = Seen.NO
                duplicates += int(np.sum(seen == Seen.SAME))
                refused += [self._too_late(batch, rows, i) for i in places[too_late]]
                refused += [_conflict(batch, i) for i in places[seen == Seen.OTHER_VALUES]]
                late = chosen[(seen == Seen.NO) & ~too_late]
                kept = np.array([self._place(work, i, made) for i in late.tolist()], dtype=np.bool_)
                taken[work.order[late[kept]]] = True
                dense = work.order[late[~kept]]
            refused += [_too_dense(batch, i) for i in dense]
        self._advance_marks(work, in_order, end_offsets)
        issuing = np.flatnonzero(taken & ~np.isnan(batch.values[NET_LOAD]))
        return Accepted(
            taken,
            in_order,
            issuing,
            self._complete(batch, rows, issuing, made),
            ClosedSlots.joined(made.closed),
            duplicates,
            refused,
        )

    def _sort(self, batch: PulseBatch, rows: Indices) -> _Sorted:
        order = np.argsort(rows, kind="stable")
        rows, ts_ms = rows[order], batch.ts_ms[order]
        leads = np.append(True, rows[1:] != rows[:-1])[: len(rows)]
        net_load_kw = batch.values[NET_LOAD, order]
        has_net_load = ~np.isnan(net_load_kw)
        advancing = ts_ms > _newest_before(ts_ms, leads, self._newest_ms[rows])
        stage = np.zeros(len(rows), dtype=np.int64)
        if not advancing.all():
            others = (~advancing).astype(np.int64)
            passed = np.cumsum(others)
            begin = np.flatnonzero(leads)
            stage = passed - np.repeat((passed - others)[begin], np.diff(begin, append=len(rows)))
        return _Sorted(
            order,
            rows,
            ts_ms,
            to_quanta(np.where(has_net_load, net_load_kw, 0.0)),
            has_net_load,
            fingerprints(batch.values)[order],
            advancing,
            stage,
        )

    def _advance(self, work: _Sorted, chosen: Indices, made: _Made) -> Mask:
        """Take events that are newer than all before them, some of each site at a time; which were taken."""
        kept = np.ones(len(chosen), dtype=np.bool_)
        turn = ordinals(work.rows[chosen]) // SPARE_SLOTS
        for number in range(int(turn.max(initial=-1)) + 1):
            part = np.flatnonzero(turn == number) if turn.any() else np.arange(len(chosen))
            if self._crowded(work, chosen[part]).any():
                # One event of each site at a time needs less room; then wider rings; then no more.
                single = ordinals(work.rows[chosen[part]])
                for n in range(int(single.max()) + 1):
                    one = part[single == n]
                    while (crowded := self._crowded(work, chosen[one])).any() and self._widen():
                        pass
                    kept[one[crowded]] = False
                    self._take(work, chosen[one[~crowded]], made)
            else:
                self._take(work, chosen[part], made)
        return kept

    def _crowded(self, work: _Sorted, chosen: Indices) -> Mask:
        rows = work.rows[chosen]
        crowded = self._recent.crowded(rows, work.ts_ms[chosen], ordinals(rows))
        known = np.flatnonzero(work.has_net_load[chosen])
        crowded[known] |= self._windows.crowded(rows[known], ordinals(rows[known]))
        return crowded

    def _widen(self) -> bool:
        return self._windows.widen() and self._recent.widen()

    def _take(self, work: _Sorted, chosen: Indices, made: _Made) -> None:
        rows = work.rows[chosen]
        self._remember(rows, work.ts_ms[chosen], work.prints[chosen])
        known = chosen[work.has_net_load[chosen]]
        if len(known):
            rows, ts_ms, quanta = work.rows[known], work.ts_ms[known], work.quanta[known]
            windows = self._windows.advance(rows, ts_ms, quanta, ordinals(rows))
            places = work.order[known]
            made.features[places, : GRADIENT_AT + 1] = windows.values
            made.change_kw[places] = windows.change_kw
            if self.seasonal is not None:
                made.closed.append(self.seasonal.add(rows, ts_ms * 1000, quanta))
                made.seasonal[places] = self.seasonal.inputs(rows, ts_ms * 1000)

    def _remember(self, rows: Indices, ts_ms: Integers, prints: Fingerprints) -> None:
        """Note events that are newer than all before them."""
        ordinal = ordinals(rows)
        before = previous(ts_ms, ordinal == 0, self._newest_ms[rows])
        after_silence = (before >= 0) & (ts_ms - before > self.reach.lateness_ms)
        self._recent.add(rows, ts_ms, prints, ordinal, after_silence)
        self._newest_ms[rows] = ts_ms  # the last one of a site counts

    def _place(self, work: _Sorted, i: int, made: _Made) -> bool:
        """Put one late event to its place by event time; False where there is no room for it."""
        row = work.rows[i : i + 1]
        newest_ms = self._newest_ms[row]
        nothing = np.zeros(1, dtype=np.int64)
        while self._recent.crowded(row, newest_ms, nothing).any():
            if not self._widen():
                return False
        if work.has_net_load[i] and not self._insert(work, i, made):
            return False
        self._recent.add(row, work.ts_ms[i : i + 1], work.prints[i : i + 1], nothing, np.array([False]))
        return True

    def _insert(self, work: _Sorted, i: int, made: _Made) -> bool:
        row = int(work.rows[i])
        before = self._windows.events(row)
        place = int(np.searchsorted(before.ts_us, work.ts_ms[i] * 1000))
        events = _events_of(
            np.insert(before.ts_us // 1000, place, work.ts_ms[i]),
            np.insert(before.net_load_kw, place, to_kw(work.quanta[i : i + 1])),
        )
        while not self._windows.has_room(events):
            if not self._widen():
                return False
        cadence_s = self.reach.cadence_ms / 1000.0
        row_there = feature_rows(events, np.array([place]), cadence_s=cadence_s, site_tz="UTC")
        made.features[work.order[i], : GRADIENT_AT + 1] = row_there[0, : GRADIENT_AT + 1]
        made.change_kw[work.order[i]] = ramp_kw(events, place, cadence_s=cadence_s)
        self._windows.load(row, events)
        if self.seasonal is not None:
            self.seasonal.add_late(row, int(work.ts_ms[i]) * 1000, int(work.quanta[i]))
            made.seasonal[work.order[i]] = self.seasonal.inputs(np.array([row]), work.ts_ms[i : i + 1] * 1000)
        return True

    def _advance_marks(self, work: _Sorted, in_order: Mask, end_offsets: Integers) -> None:
        moved = np.flatnonzero(in_order[work.order])
        if not len(moved):
            return
        rows = work.rows[moved]
        leads = np.append(True, rows[1:] != rows[:-1])
        observed = np.where(work.has_net_load[moved], work.ts_ms[moved], np.iinfo(np.int64).max)
        first = np.minimum.reduceat(observed, np.flatnonzero(leads))
        first[first == np.iinfo(np.int64).max] = NO_OBSERVATION
        sites = rows[leads]
        ends = end_offsets[work.order[moved]][leads]
        self.marks.advance(sites, first, self._newest_ms[sites], ends)

    def _blank(self, count: int) -> _Made:
        seasonal = 0 if self.seasonal is None else len(self.seasonal.need.names)
        features = np.empty((count, len(FEATURE_NAMES)))
        return _Made(features, np.full(count, np.nan), np.empty((count, seasonal)), [])

    def _complete(self, batch: PulseBatch, rows: Indices, issuing: Indices, made: _Made) -> FeatureBatch:
        """Fill in the features that rest on the event alone."""
        features = made.features[issuing]
        parts = [batch.values[channel, issuing] for channel in (LOAD, SOLAR, WIND)]
        features[:, GRADIENT_AT + 1] = penetration(*parts)
        ts_us = batch.ts_ms[issuing] * 1000
        zones = self._zone[rows[issuing]]
        time_zones = []
        for index, zone in enumerate(self._zones):
            of_zone = np.flatnonzero(zones == index) if len(self._zones) > 1 else np.arange(len(issuing))
            if len(of_zone):
                features[of_zone, GRADIENT_AT + 2 :] = hour(ts_us[of_zone], zone)
                time_zones.append((zone, of_zone))
        net_load_kw = batch.values[NET_LOAD, issuing]
        return FeatureBatch(
            ts_us, net_load_kw, features, made.change_kw[issuing], made.seasonal[issuing], time_zones
        )

    def _too_late(self, batch: PulseBatch, rows: Indices, i: int) -> Refused:
        newest = from_micros(int(self._newest_ms[rows[i]]) * 1000)
        return _refused(
            batch,
            i,
            "too_late",
            f"lies more than {self.reach.lateness_ms / 1000:g} s before the site's newest event "
            f"{newest.isoformat()}; send it in time",
        )


def _conflict(batch: PulseBatch, i: int) -> Refused:
    return _refused(batch, i, "conflict", "was accepted with other values; the first counts")


def _too_dense(batch: PulseBatch, i: int) -> Refused:
    return _refused(
        batch, i, "too_dense", "comes too soon after many others of its site; use a model of its cadence"
    )


def _refused(batch: PulseBatch, i: int, reason: str, text: str) -> Refused:
    error = MessageError(reason, f"ts_utc: {batch.moments[i].isoformat()} {text}")
    return Refused(int(batch.places[i]), error)


def _events_of(ts_ms: Integers, net_load_kw: Floats) -> SiteEvents:
    missing = np.full(len(ts_ms), np.nan)
    return SiteEvents(ts_ms * 1000, net_load_kw, missing, missing, missing)


def _newest_before(ts_ms: Integers, leads: Mask, newest_ms: Integers) -> Integers:
    """For each event the newest time of its site before it, within the batch or from before."""
    if leads.all():
        return newest_ms
    step = np.int64(2**43)  # beyond any time, so that a later site's never looks older
    base = np.cumsum(leads) * step
    running = np.maximum.accumulate(np.maximum(ts_ms, newest_ms) + base) - base
    return previous(running, leads, newest_ms)


def _steps(work: _Sorted) -> Iterator[tuple[bool, Indices]]:
    """What can be taken at once: newer events up to each site's next other one, then those, and so on."""
    if not len(work.rows):
        return
    if work.advancing.all():
        yield True, np.arange(len(work.rows))
        return
    step = 2 * work.stage - np.where(work.advancing, 0, 1)
    by_step = np.argsort(step, kind="stable")
    for chosen in np.split(by_step, np.flatnonzero(np.diff(step[by_step])) + 1):
        yield bool(work.advancing[chosen[0]]), chosen
