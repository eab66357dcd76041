"""The stream's judge of false data: verdicts on the pulses of the sites that a detector was fitted for.

A site's verdict rests on more than a week of it, which no rewound log tells again. The store does:
every Monday at midnight UTC a site begins anew, from what the store holds of the days before.

Invariants:
    A verdict depends on what the store holds of the site from ten days before the last Monday on,
    and on nothing else: after any kill, restart or rebalance the verdicts are the same bits.
    A pulse that came after newer ones is marked in the store; it judges, and is judged by, nothing.
"""

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from math import isnan
from typing import Final

import numpy as np

from pipeline.arrays import Indices, Integers, Mask, resized
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.meters import LEAST_TRUST
from pipeline.fdia.sites import KINDS
from pipeline.fdia.stream_scorer import PulseVerdicts, StreamScorer
from pipeline.judged_past import HISTORY, Past, past_of, stored_past, take_up
from pipeline.messages import VALUE_NAMES
from pipeline.pulse_batch import PulseBatch
from pipeline.store import SeriesStore
from pipeline.timestamps import from_micros
from pipeline.verdict import Verdict

logger = logging.getLogger(__name__)

WEEK_MS: Final = 7 * 86_400_000
MONDAY_MS: Final = 4 * 86_400_000
"""1970 began on a Thursday; its first Monday was the 5th."""
UNKNOWN: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on some pulses of a batch: their places in it, and one entry each."""

    places: Indices
    found: PulseVerdicts

    def entries(self) -> Iterator[tuple[int, bool, float, float, int, int, int, float]]:
        """Place, alarm, score, trust, channel, kind, since_ms and substitute_kw of each."""
        names = ("alarm", "score", "trust", "channel", "kind", "since_ms", "substitute_kw")
        return zip(self.places.tolist(), *(getattr(self.found, name).tolist() for name in names), strict=True)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Pulses of a batch that are to be judged: their places in it, the judge's rows, and their weeks."""

    pulses: PulseBatch
    places: Indices
    rows: Integers
    weeks: Integers


class PulseJudge:
    """Follows the sites that it is to judge.

    Args:
        detector: judges all of them, each by itself.
        cadence_s: seconds between a site's pulses.
        sites: which; every site where None.
    """

    def __init__(
        self, detector: FittedDetector, cadence_s: float, sites: Collection[str] | None = None
    ) -> None:
        self._detector = detector
        self._sites = None if sites is None else frozenset(sites)
        self._scorer = StreamScorer(detector, cadence_s)
        self._row_of: dict[str, int] = {}
        self._free: list[int] = []
        self._week = np.empty(0, dtype=np.int64)
        self._told: dict[str, datetime] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the followed sites' states."""
        return self._scorer.bytes_per_site * len(self._row_of)

    def forget(self, sites: Iterable[str]) -> None:
        """Follow some sites no longer."""
        for name in sites:
            if (row := self._row_of.pop(name, None)) is not None:
                self._free.append(row)
                self._told.pop(name, None)

    def judge(self, pulses: PulseBatch, in_order: Mask, store: SeriesStore | None) -> Judged:
        """Judge the pulses of a batch that were newer than everything before of their sites.

        Args:
            pulses: of the batch.
            in_order: which of them.
            store: holds all that came before; without one a state is as old as the process.
        """
        places = self._judged_ones(pulses, np.flatnonzero(in_order))
        rows = np.array([self._row(pulses.sites[i]) for i in places.tolist()], dtype=np.int64)
        weeks = (pulses.ts_ms[places] - MONDAY_MS) // WEEK_MS * (store is not None)
        chosen = _Chosen(pulses, places, rows, weeks)
        parts: list[Judged] = []
        for week in np.unique(weeks).tolist() or [0]:
            self._begin(chosen, week, store, parts)
            now = weeks == week
            at = places[now]
            parts.append(Judged(at, self._scorer.score(rows[now], pulses.ts_ms[at], pulses.values[:, at])))
        return _joined(parts)

    def go_along(self, pulses: PulseBatch, in_order: Mask, store: SeriesStore | None) -> None:
        """Take pulses that were judged elsewhere, of the sites that are followed already.

        Args:
            pulses, in_order, store: as for :meth:`judge`.
        """
        followed = np.array([name in self._row_of for name in pulses.sites], dtype=np.bool_)
        self.judge(pulses, in_order & followed, store)

    def verdicts(self, pulses: PulseBatch, taken: Mask, in_order: Mask, judged: Judged) -> list[Verdict]:
        """What the store keeps: of each accepted pulse of a judged site."""
        channels, kinds = [*self._detector.channels, None], [*KINDS, None]  # the last one is that of -1
        made = [
            Verdict(
                site=pulses.sites[at],
                ts_utc=pulses.moments[at],
                alarm=alarm,
                score=score,
                trust=trust,
                channel=channels[channel],
                kind=kinds[kind],
                since=from_micros(since_ms * 1000) if since_ms >= 0 else None,
                substitute_kw=None if isnan(use_kw) else use_kw,
            )
            for at, alarm, score, trust, channel, kind, since_ms, use_kw in judged.entries()
        ]
        for verdict in made:
            self._tell(verdict)
        late = self._judged_ones(pulses, np.flatnonzero(taken & ~in_order))
        return made + [Verdict(pulses.sites[i], pulses.moments[i]) for i in late.tolist()]

    def _judged_ones(self, pulses: PulseBatch, places: Indices) -> Indices:
        if self._sites is None:
            return places
        return np.array([i for i in places.tolist() if pulses.sites[i] in self._sites], dtype=np.intp)

    def _row(self, name: str) -> int:
        row = self._row_of.get(name)
        if row is None:
            row = self._row_of[name] = self._free.pop() if self._free else len(self._row_of)
            if row >= len(self._week):
                self._week = resized(self._week, row + 1 + len(self._week) // 4)
            self._week[row] = UNKNOWN
        return row

    def _begin(self, chosen: _Chosen, week: int, store: SeriesStore | None, earlier: list[Judged]) -> None:
        """Begin the sites with pulses of this week anew that have no state of it yet.

        Args:
            chosen: pulses of the batch.
            week: its number.
            store: has all that came before the batch.
            earlier: what was found of the batch's pulses of the weeks before.
        """
        firsts: dict[int, int] = {}
        for at in np.flatnonzero((chosen.weeks == week) & (self._week[chosen.rows] != week)).tolist():
            firsts.setdefault(int(chosen.rows[at]), int(chosen.places[at]))
        if not firsts:
            return
        self._week[list(firsts)] = week
        if store is None:
            self._scorer.begin(list(firsts))
            return
        base, pulses = from_micros((week * WEEK_MS + MONDAY_MS) * 1000), chosen.pulses
        for row, first in firsts.items():
            past = stored_past(store, pulses.sites[first], base - HISTORY, pulses.moments[first])
            for part in earlier:
                here = np.flatnonzero(chosen.rows[np.searchsorted(chosen.places, part.places)] == row)
                past += self._past(pulses, part, here)
            take_up(self._scorer, row, past, base)

    def _past(self, pulses: PulseBatch, part: Judged, here: Indices) -> Past:
        """Pulses that were just judged, which the store does not have yet."""
        at, found, channel = part.places[here], part.found, part.found.channel[here]
        places = np.array([*map(VALUE_NAMES.index, self._detector.channels), -1])
        return past_of(
            pulses.ts_ms[at],
            pulses.values[:, at],
            found.trust[here],
            places[channel],
            found.substitute_kw[here],
        )

    def _tell(self, verdict: Verdict) -> None:
        """Say once that a site's telemetry is not to be acted on, and once that it is again."""
        distrusted = verdict.trust is not None and verdict.trust < LEAST_TRUST
        if distrusted and verdict.site not in self._told:
            since = verdict.since or verdict.ts_utc
            what = f"{verdict.channel or 'telemetry'}, {verdict.kind or 'unknown'}"
            logger.warning("%s: distrusted since %s (%s)", verdict.site, since.isoformat(), what)
            self._told[verdict.site] = since
        elif not distrusted and verdict.site in self._told:
            del self._told[verdict.site]
            logger.info("%s: trusted again from %s on", verdict.site, verdict.ts_utc.isoformat())


def _joined(parts: list[Judged]) -> Judged:
    if len(parts) == 1:
        return parts[0]
    columns = {
        field.name: np.concatenate([getattr(part.found, field.name) for part in parts])
        for field in fields(PulseVerdicts)
    }
    return Judged(np.concatenate([part.places for part in parts]), PulseVerdicts(**columns))
