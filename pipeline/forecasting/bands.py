"""Bands around the median, calibrated on the last 28 days: rolling conformal prediction.

A forecast's score is its error over its spread. Each UTC day the quantiles of the scores of the
last 28 days become the multiples of the spread that make the band. Forecasts that carry the most
risk (|median| + 2 spreads) are calibrated apart and on less of the tail, the others on a little
more, so that all together hold what the quantiles promise. How many are set apart, and how far
they are widened, is the first step of a ladder at which the band holds 70 % of the largest 1 % of
the changes in those 28 days: where ramps announce themselves almost nothing has to be widened.
"""

from collections import deque
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Mask, Micros
from pipeline.errors import ModelError
from pipeline.forecasting.memory import DAY_US
from pipeline.timestamps import MICROS_PER_SECOND

WINDOW_US: Final = 28 * DAY_US
SPACING_US: Final = 900 * MICROS_PER_SECOND
"""A score is kept at most once a quarter of an hour: neighbours say nearly the same."""
LADDER: Final = ((0.1, 1.0), (0.1, 0.5), (0.1, 0.25), (0.15, 0.2), (0.2, 0.2), (0.2, 0.1), (0.25, 0.08))
"""Steps: which share of the forecasts is set apart, and on which part of the tail it is calibrated."""
RAMP_COVERAGE: Final = 0.7
_RAMP_SHARE: Final = 0.01
_JUDGED: Final = (0.1, 0.9)
_SPREADS_IN_RISK: Final = 2.0
_FEWEST_SCORES: Final = 30
_DEVIATION_PER_SPREAD: Final = 1.25
"""Standard deviation over mean absolute error of a normal error: the band before anything is known."""


def risk_of(median_kw: Floats, spread_kw: Floats) -> Floats:
    """How far out a change may lie, in kW."""
    return np.asarray(np.abs(median_kw) + _SPREADS_IN_RISK * spread_kw)


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
        self._scores: deque[tuple[int, float, float, float]] = deque()
        self._day: int | None = None
        self._last_slot = -1
        self._risk_limit_kw = np.inf
        normal = [NormalDist().inv_cdf(wanted) * _DEVIATION_PER_SPREAD for wanted in self.quantiles]
        self._multiples = np.array([normal, normal])

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
        self._scores.append((known_us, (change_kw - median_kw) / spread_kw, risk, abs(change_kw)))

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
        score, risk, size = known[:, 1], known[:, 2], known[:, 3]
        ramps = size >= np.quantile(size, 1.0 - _RAMP_SHARE)
        for share, tail in LADDER:
            self._risk_limit_kw = float(np.quantile(risk, 1.0 - share))
            risky = risk > self._risk_limit_kw
            low, high = _multiples(score, risky, tail, _JUDGED)[risky.astype(np.intp)].T
            if np.mean(((score >= low) & (score <= high))[ramps]) >= RAMP_COVERAGE:
                break
        self._multiples = _multiples(score, risky, tail, self.quantiles)

    def bands(self, median_kw: Floats, spread_kw: Floats) -> Floats:
        """Quantiles in kW, one column each, ascending in each row."""
        risky = risk_of(median_kw, spread_kw) > self._risk_limit_kw
        found = median_kw[:, None] + spread_kw[:, None] * self._multiples[risky.astype(np.intp)]
        return np.sort(found, axis=1)


def _multiples(score: Floats, risky: Mask, tail: float, quantiles: Sequence[float]) -> Floats:
    """Multiples of the spread: a row for the calm, one for the risky, a column for each quantile."""
    share = float(risky.mean())  # as it came out: many may carry the very same risk
    tails = ((1.0 - tail * share) / (1.0 - share), tail)
    return np.array(
        [
            [_quantile(_enough(score, regime), wanted, of_tail) for wanted in quantiles]
            for regime, of_tail in zip((~risky, risky), tails, strict=True)
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
