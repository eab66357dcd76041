"""Bands around the median, calibrated on the last 28 days: rolling conformal prediction.

A forecast's score is its error over its spread. Each UTC day the quantiles of the scores of the
last 28 days become the multiples of the spread that make the band. Forecasts that carry the most
risk (|median| + 2 spreads) are calibrated apart: a ramp that is missed is one that goes further
than its median says, so on that side they get less of the tail (on both where the median is next
to nothing), and the others a little more, so that all together hold what the quantiles promise.
How many are set apart, and how far
they are widened, is the first step of a ladder at which the band holds 80 % of the largest 1 % of
the changes in those 28 days: where ramps announce themselves almost nothing has to be widened.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices, Mask, Micros
from pipeline.errors import ModelError
from pipeline.forecasting.memory import DAY_US
from pipeline.timestamps import MICROS_PER_SECOND

WINDOW_US: Final = 28 * DAY_US
SPACING_US: Final = 900 * MICROS_PER_SECOND
"""A score is kept at most once a quarter of an hour: neighbours say nearly the same."""
LADDER: Final = (
    *((0.1, 1.0), (0.1, 0.5), (0.1, 0.25), (0.1, 0.1), (0.15, 0.1), (0.2, 0.1)),
    *((0.25, 0.07), (0.3, 0.05), (0.35, 0.03), (0.4, 0.025), (0.45, 0.02), (0.5, 0.015)),
)
"""Steps: which share of the forecasts is set apart, and which part of the tail its far side is left."""
RAMP_COVERAGE: Final = 0.8
_RAMP_SHARE: Final = 0.01
_JUDGED: Final = (0.1, 0.9)
_SPREADS_IN_RISK: Final = 2.0
_UNDECIDED: Final = 0.25
"""Spreads: a smaller median tells no direction."""
_RISING, _FALLING, _NEITHER = 1, 2, 3
_FEWEST_SCORES: Final = 30
_DEVIATION_PER_SPREAD: Final = 1.25
"""Standard deviation over mean absolute error of a normal error: the band before anything is known."""


def direction_of(median_kw: Floats, spread_kw: Floats) -> Floats:
    """1 where the median rises, −1 where it falls, 0 where it is next to nothing against the spread."""
    return np.asarray(np.where(np.abs(median_kw) >= _UNDECIDED * spread_kw, np.sign(median_kw), 0.0))


def risk_of(median_kw: Floats, spread_kw: Floats) -> Floats:
    """How far out a change may lie, in kW."""
    return np.asarray(np.abs(median_kw) + _SPREADS_IN_RISK * spread_kw)


@dataclass(frozen=True)
class BandState:
    """All that rolling bands know, to be kept and resumed.

    Attributes:
        quantiles: of the bands, ascending.
        day: calibrated for, numbered since 1970; None before the first.
        risk_limit_kw: a forecast that carries more risk is one of those set apart.
        multiples: of the spread: a row for the calm, and for the risky whose median rises, falls, or
            does neither; a column for each quantile.
        scores: a row each: when known (microseconds), error over spread, risk and |change| in kW, and
            the direction of the median.
    """

    quantiles: tuple[float, ...]
    day: int | None
    risk_limit_kw: float
    multiples: Floats
    scores: Floats

    def bands(self, median_kw: Floats, spread_kw: Floats) -> Floats:
        """Quantiles in kW, one column each, ascending in each row."""
        return _bands(median_kw, spread_kw, self.risk_limit_kw, self.multiples)


class RollingBands:
    """Turns medians and spreads into quantiles, and learns from what came.

    Args:
        quantiles: wanted, ascending, between 0 and 1.

    Invariants:
        A day's bands rest on scores whose target lay before that day (UTC).
    """

    def __init__(self, quantiles: Sequence[float]) -> None:
        if (
            not quantiles
            or list(quantiles) != sorted(set(quantiles))
            or not 0 < min(quantiles) <= max(quantiles) < 1
        ):
            raise ModelError(f"quantiles: {tuple(quantiles)}; give ascending numbers between 0 and 1")
        self.quantiles = tuple(quantiles)
        self._scores: deque[tuple[int, float, float, float, float]] = deque()
        self._day: int | None = None
        self._last_slot = -1
        self._risk_limit_kw = np.inf
        normal = [NormalDist().inv_cdf(wanted) * _DEVIATION_PER_SPREAD for wanted in self.quantiles]
        self._multiples = np.array([normal] * 4)

    @classmethod
    def resume(cls, state: BandState) -> "RollingBands":
        """Bands that go on where others were when they gave this state."""
        bands = cls(state.quantiles)
        bands._day, bands._risk_limit_kw, bands._multiples = state.day, state.risk_limit_kw, state.multiples
        bands._scores.extend((int(known_us), *kept) for known_us, *kept in state.scores.tolist())
        if bands._scores:
            bands._last_slot = bands._scores[-1][0] // SPACING_US
        return bands

    def state(self) -> BandState:
        """What they know now."""
        scores = np.array(self._scores, dtype=np.float64).reshape(-1, 5)
        return BandState(self.quantiles, self._day, self._risk_limit_kw, self._multiples.copy(), scores)

    def __len__(self) -> int:
        return len(self._scores)

    def record(self, known_us: int, *, change_kw: float, median_kw: float, spread_kw: float) -> None:
        """Take what became of a forecast.

        Args:
            known_us: when its target came; ascending.
            change_kw: the change that came.
            median_kw, spread_kw: what was forecast.
        """
        slot = known_us // SPACING_US
        if slot == self._last_slot:
            return
        self._last_slot = slot
        risk = abs(median_kw) + _SPREADS_IN_RISK * spread_kw
        off, size_kw = (change_kw - median_kw) / spread_kw, abs(change_kw)
        direction = math.copysign(1.0, median_kw) if abs(median_kw) >= _UNDECIDED * spread_kw else 0.0
        self._scores.append((known_us, off, risk, size_kw, direction))

    def begin_day(self, day: int) -> None:
        """Calibrate for a day, numbered since 1970; the same day again changes nothing."""
        if day == self._day:
            return
        self._day = day
        begin_us = day * DAY_US
        while self._scores and self._scores[0][0] < begin_us - WINDOW_US:
            self._scores.popleft()
        known = np.array([kept for kept in self._scores if kept[0] < begin_us], dtype=np.float64)
        if len(known) < _FEWEST_SCORES:
            return
        score, risk, size, direction = known[:, 1:].T
        ramps = size >= np.quantile(size, 1.0 - _RAMP_SHARE)
        for share, tail in LADDER:
            self._risk_limit_kw = float(np.quantile(risk, 1.0 - share))
            kind = _kind(risk > self._risk_limit_kw, direction)
            low, high = _multiples(score, kind, tail, _JUDGED)[kind].T
            if np.mean(((score >= low) & (score <= high))[ramps]) >= RAMP_COVERAGE:
                break
        self._multiples = _multiples(score, kind, tail, self.quantiles)

    def bands(self, median_kw: Floats, spread_kw: Floats) -> Floats:
        """Quantiles in kW, one column each, ascending in each row."""
        return _bands(median_kw, spread_kw, self._risk_limit_kw, self._multiples)


def _bands(median_kw: Floats, spread_kw: Floats, risk_limit_kw: float, multiples: Floats) -> Floats:
    kind = _kind(risk_of(median_kw, spread_kw) > risk_limit_kw, direction_of(median_kw, spread_kw))
    found = median_kw[:, None] + spread_kw[:, None] * multiples[kind]
    return np.sort(found, axis=1)


def _kind(risky: Mask, direction: Floats) -> Indices:
    """Rows of the multiples: 0 for the calm, else by direction."""
    moving = np.where(direction > 0.0, _RISING, np.where(direction < 0.0, _FALLING, _NEITHER))
    return np.where(risky, moving, 0)


def _multiples(score: Floats, kind: Indices, tail: float, quantiles: Sequence[float]) -> Floats:
    """Multiples of the spread: a row for each kind, a column for each quantile.

    Those that fall are those that rise, mirrored: both are learnt from together.
    """
    share, neither = float(np.mean(kind > 0)), float(np.mean(kind == _NEITHER))
    taken = (share - neither) * (1.0 + tail) / 2.0 + neither * tail
    calm_tail = (1.0 - taken) / (1.0 - share)
    onward = _enough(np.where(kind == _FALLING, -score, score), (kind == _RISING) | (kind == _FALLING))
    calm, both = _enough(score, kind == 0), _enough(score, kind == _NEITHER)

    def far(wanted: float) -> float:
        return _quantile(onward, wanted, tail if wanted > 0.5 else 1.0)

    return np.array(
        [
            [_quantile(calm, wanted, calm_tail) for wanted in quantiles],
            [far(wanted) for wanted in quantiles],
            [-far(1.0 - wanted) for wanted in quantiles],
            [_quantile(both, wanted, tail) for wanted in quantiles],
        ]
    )


def _enough(score: Floats, regime: Mask) -> Floats:
    return score[regime] if regime.sum() >= _FEWEST_SCORES // 2 else score


def _quantile(score: Floats, wanted: float, of_tail: float) -> float:
    """A quantile of scores with a multiple of the wanted tail outside; the median stays where it is."""
    if wanted == 0.5:
        return 0.0
    tail = min(0.5, of_tail * min(wanted, 1.0 - wanted))
    return float(np.quantile(score, tail if wanted < 0.5 else 1.0 - tail))


def day_of(ts_us: Micros) -> Micros:
    """Days since 1970 (UTC)."""
    return ts_us // DAY_US
