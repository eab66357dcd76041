"""Drift monitor: is a site's forecast still good? Judged by what became of it, forgotten with time.

At most one forecast a quarter of an hour and site is kept until its target comes, and then counts
with a weight that halves every two days. A model is degraded when it is no better than persistence
or than the same-time change of past days, or when its band holds too few of the changes; then the
band is widened to what would have held enough. The band is judged as it was before widening, so
widening does not hide what it mends.

On 500 days of three operators before their test spans a sound model never came lower than 0.67
coverage and 0.06 skill against either reference; that is what the thresholds keep clear of.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices, Micros, resized
from pipeline.timestamps import MICROS_PER_SECOND

SPACING_US: Final = 900 * MICROS_PER_SECOND
HALF_LIFE_S: Final = 2 * 86_400
FEWEST: Final = 96.0
"""Weight of the forecasts that a verdict needs: at a quarter of an hour those of 29 hours."""
PROMISED: Final = 0.8
COVERAGE_LOST, COVERAGE_REGAINED = 0.65, 0.72
SKILL_LOST, SKILL_REGAINED = 0.0, 0.05
FACTORS: Final = np.array([1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
"""By how much a band may be widened."""
ENOUGH: Final = 0.78

_SLOT_S: Final = SPACING_US // MICROS_PER_SECOND
_DECAY: Final = np.array([0.5 ** (slots * _SLOT_S / HALF_LIFE_S) for slots in range(2001)] + [0.0])
"""Weight left after so many slots; a table, so that its bits do not depend on how sites are batched."""
_WEIGHT, _ERROR, _STILL, _PAST_ERROR, _PAST = range(5)
_SUMS: Final = 5 + len(FACTORS)
_NET, _P10, _P50, _P90, _REFERENCE = range(5)
_NEVER: Final = np.iinfo(np.int64).max
_LONG_AGO: Final = -(2**62)
_NO_STAMP: Final = -1


@dataclass(frozen=True, slots=True)
class DriftReport:
    """How a site's forecasts did of late.

    Attributes:
        weight: how much they count together, in forecasts.
        skill_persistence, skill_drift: 1 − mean error / that of persistence, and of the mean
            same-time change of past days; NaN where unknown.
        coverage: share of the changes inside P10–P90 as the model gave them; NaN where unknown.
        factor: by which the band is widened, 1 or more.
        degraded: whether the model should be trained again.
        reasons: why, a sentence each; empty where it is not degraded.
        since_us: since when it is degraded, in microseconds; None where it is not.
    """

    weight: float
    skill_persistence: float
    skill_drift: float
    coverage: float
    factor: float
    degraded: bool
    reasons: tuple[str, ...]
    since_us: int | None


class DriftMonitor:
    """Judges the forecasts of many sites, a row each.

    Args:
        horizon_us: how far ahead they look.
        tolerance_us: how far from its target an observation may lie: half a cadence.
        sites: rows to begin with; :meth:`grow` adds some.

    Invariants:
        What a row holds depends on that site's steps alone, in their order, bit for bit.
    """

    def __init__(self, *, horizon_us: int, tolerance_us: int, sites: int = 0) -> None:
        self._horizon_us, self._tolerance_us = horizon_us, tolerance_us
        places = -(-horizon_us // SPACING_US) + 1
        self._targets_us: Micros = np.full((sites, places), _NEVER, dtype=np.int64)
        self._pending: Floats = np.zeros((sites, places, 5))
        self._sums: Floats = np.zeros((sites, _SUMS))
        self._factor: Floats = np.ones(sites)
        self._slots: Micros = np.full((sites, 2), _LONG_AGO, dtype=np.int64)
        """Of the newest forecast kept, and of the newest judged."""
        self._since_us: Micros = np.full((sites, 2), _NO_STAMP, dtype=np.int64)
        """Since when coverage, and skill, are lost."""

    def __len__(self) -> int:
        return len(self._factor)

    def grow(self, sites: int) -> None:
        """Make room for so many sites in all; new rows know nothing."""
        new = slice(len(self), sites)
        for name, blank in (
            ("_targets_us", _NEVER),
            ("_pending", 0.0),
            ("_sums", 0.0),
            ("_factor", 1.0),
            ("_slots", _LONG_AGO),
            ("_since_us", _NO_STAMP),
        ):
            larger = resized(getattr(self, name), sites)
            larger[new] = blank
            setattr(self, name, larger)

    def forget(self) -> None:
        """Begin anew for all sites: another model is to be judged."""
        sites = len(self)
        for name in _STATE:
            setattr(self, f"_{name}", getattr(self, f"_{name}")[:0])
        self.grow(sites)

    def step(
        self, rows: Indices, ts_us: Micros, net_load_kw: Floats, bands_kw: Floats, reference_kw: Floats
    ) -> None:
        """One observation of some sites, with the forecast that it gave.

        Args:
            rows: the sites, each at most once.
            ts_us: stamp of each observation.
            net_load_kw: net load.
            bands_kw: P10, P50 and P90 of the change as the model gave them; NaN: none.
            reference_kw: the mean same-time change of past days; NaN where unknown.
        """
        due = (self._targets_us[rows] <= (ts_us + self._tolerance_us)[:, None]).any(axis=1)
        if due.any():
            self._mature(rows[due], ts_us[due], net_load_kw[due])
        slot = ts_us // SPACING_US
        new = (slot > self._slots[rows, 0]) & ~np.isnan(bands_kw).any(axis=1)
        if new.any():
            kept = np.column_stack([net_load_kw, bands_kw, reference_kw])[new]
            self._keep(rows[new], ts_us[new], slot[new], kept)

    def report(self, row: int) -> DriftReport:
        """How a site's forecasts did."""
        coverage, still, past = (float(found[0]) for found in _shares(self._sums[row : row + 1]))
        since = [int(stamp) for stamp in self._since_us[row] if stamp != _NO_STAMP]
        reasons = []
        if self._since_us[row, 0] != _NO_STAMP:
            reasons.append(f"the band holds {coverage:.0%} of the changes instead of {PROMISED:.0%}")
        if self._since_us[row, 1] != _NO_STAMP:
            reasons.append(
                f"skill {still:.2f} against persistence and {past:.2f} against the same time of past days"
            )
        return DriftReport(
            weight=float(self._sums[row, _WEIGHT]),
            skill_persistence=still,
            skill_drift=past,
            coverage=coverage,
            factor=float(self._factor[row]),
            degraded=bool(since),
            reasons=tuple(reasons),
            since_us=min(since) if since else None,
        )

    def _mature(self, rows: Indices, ts_us: Micros, net_load_kw: Floats) -> None:
        """Judge what this observation is the target of; drop what was missed."""
        for place in range(self._targets_us.shape[1]):
            off_us = ts_us - self._targets_us[rows, place]
            hit = np.abs(off_us) <= self._tolerance_us
            if hit.any():
                at = rows[hit]
                self._judge(at, ts_us[hit], net_load_kw[hit] - self._pending[at, place, _NET], place)
            gone = rows[off_us >= -self._tolerance_us]
            self._targets_us[gone, place] = _NEVER

    def _judge(self, rows: Indices, ts_us: Micros, change_kw: Floats, place: int) -> None:
        p10_kw, p50_kw, p90_kw, reference_kw = self._pending[rows, place, _P10:].T
        slot = ts_us // SPACING_US
        age = np.clip(slot - self._slots[rows, 1], 0, len(_DECAY) - 1)
        self._slots[rows, 1] = np.maximum(slot, self._slots[rows, 1])
        with_past = ~np.isnan(reference_kw)
        off_kw = change_kw - p50_kw
        width_kw = np.where(off_kw > 0, p90_kw - p50_kw, p50_kw - p10_kw)
        counted = [
            np.ones(len(rows)),
            np.abs(off_kw),
            np.abs(change_kw),
            np.where(with_past, np.abs(off_kw), 0.0),
            np.where(with_past, np.abs(change_kw - reference_kw), 0.0),
            *(np.abs(off_kw) <= factor * width_kw for factor in FACTORS),
        ]
        self._sums[rows] = self._sums[rows] * _DECAY[age][:, None] + np.column_stack(counted)
        self._conclude(rows, ts_us)

    def _conclude(self, rows: Indices, ts_us: Micros) -> None:
        sums = self._sums[rows]
        enough = sums[:, _WEIGHT] >= FEWEST
        coverage, still, past = _shares(sums)
        skill = np.fmin(still, past)
        for kind, found, lost, regained in (
            (0, coverage, COVERAGE_LOST, COVERAGE_REGAINED),
            (1, skill, SKILL_LOST, SKILL_REGAINED),
        ):
            since_us = self._since_us[rows, kind]
            since_us = np.where((since_us == _NO_STAMP) & enough & (found < lost), ts_us, since_us)
            self._since_us[rows, kind] = np.where(found >= regained, _NO_STAMP, since_us)
        holds = sums[:, -len(FACTORS) :] >= ENOUGH * sums[:, _WEIGHT, None]
        wide = np.where(holds.any(axis=1), FACTORS[holds.argmax(axis=1)], FACTORS[-1])
        self._factor[rows] = np.where(self._since_us[rows, 0] != _NO_STAMP, wide, 1.0)

    def _keep(self, rows: Indices, ts_us: Micros, slot: Micros, kept: Floats) -> None:
        """Keep a forecast until its target comes, in a free place."""
        free = self._targets_us[rows] == _NEVER
        has = free.any(axis=1)
        at, place = rows[has], free.argmax(axis=1)[has]
        self._targets_us[at, place] = ts_us[has] + self._horizon_us
        self._pending[at, place] = kept[has]
        self._slots[at, 0] = slot[has]


_STATE: Final = ("targets_us", "pending", "sums", "factor", "slots", "since_us")


def _shares(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Coverage, and skill against persistence and against past days; NaN where unknown."""
    coverage = _ratio(sums[:, -len(FACTORS)], sums[:, _WEIGHT])
    still = 1.0 - _ratio(sums[:, _ERROR], sums[:, _STILL])
    return coverage, still, 1.0 - _ratio(sums[:, _PAST_ERROR], sums[:, _PAST])


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0.0))
