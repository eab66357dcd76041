"""The linear stage: a ridge whose weights move with the time of day, robust to outliers.

One ridge over all rows, then for each half-hour of the day one on what that leaves, from rows up
to an hour and a half away, weighted by how near they are, and shrunk to zero: little data gives
the common line, much data a line per half-hour. Weights are interpolated between half-hours.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices

HALF_HOURS: Final = 48
_KERNEL_HALF_HOURS: Final = 3.0
_COMMON_PENALTY: Final = 30.0
_LOCAL_PENALTY: Final = 100.0
_INTERCEPT_SHARE: Final = 1e-3
_CLIP: Final = 8.0
_FEWEST_LOCAL: Final = 30


@dataclass(frozen=True)
class LinearStage:
    """A fitted linear stage; values are in the model's scale.

    Attributes:
        columns: which of a row's columns it reads.
        center, width: mean and deviation of those in training.
        weights: one row per half-hour of the day, the intercept last.
    """

    columns: Indices
    center: Floats
    width: Floats
    weights: Floats

    def predict(self, rows: Floats, day_part: Floats) -> Floats:
        """The line's value.

        Args:
            rows: inputs, scaled as in training.
            day_part: local time as a share of the day, 0 to 1.

        Invariants:
            Added column by column, so a row's bits do not depend on the others.
        """
        lower, upper, part = _between(day_part)
        total = self._weight(lower, upper, part, -1)
        for place in range(len(self.columns)):
            total = total + self._input(rows, place) * self._weight(lower, upper, part, place)
        return total

    def contributions(self, rows: Floats, day_part: Floats) -> Floats:
        """What each of ``columns`` adds, and the intercept last: one row each."""
        lower, upper, part = _between(day_part)
        found = [
            self._input(rows, place) * self._weight(lower, upper, part, place)
            for place in range(len(self.columns))
        ]
        return np.column_stack([*found, self._weight(lower, upper, part, -1)])

    def _input(self, rows: Floats, place: int) -> Floats:
        return _standard(rows[:, self.columns[place]], self.center[place], self.width[place])

    def _weight(self, lower: Indices, upper: Indices, part: Floats, place: int) -> Floats:
        return np.asarray(self.weights[lower, place] * (1.0 - part) + self.weights[upper, place] * part)


def fit_linear(
    rows: Floats, target: Floats, day_part: Floats, columns: Indices, *, rounds: int = 3
) -> LinearStage:
    """Fit a linear stage.

    Args:
        rows: inputs, one row each; NaN counts as the column's mean.
        target: what is to be met.
        day_part: local time as a share of the day, 0 to 1.
        columns: which columns it may read.
        rounds: of reweighting towards the absolute error.
    """
    center, width = _moments(rows[:, columns])
    inputs = np.column_stack([_standard(rows[:, columns], center, width), np.ones(len(rows))])
    common = _robust_ridge(inputs, target, np.ones(len(rows)), _COMMON_PENALTY, rounds)
    left = target - inputs @ common
    weights = np.tile(common, (HALF_HOURS, 1))
    for half_hour in range(HALF_HOURS):
        away = np.abs((day_part * HALF_HOURS - half_hour - 0.5 + 24) % HALF_HOURS - 24)
        near = np.flatnonzero(away < _KERNEL_HALF_HOURS)
        if len(near) >= _FEWEST_LOCAL:
            kernel = 1.0 - away[near] / _KERNEL_HALF_HOURS
            weights[half_hour] += _robust_ridge(inputs[near], left[near], kernel, _LOCAL_PENALTY, rounds)
    return LinearStage(columns, center, width, weights)


def _robust_ridge(inputs: Floats, target: Floats, importance: Floats, penalty: float, rounds: int) -> Floats:
    """Ridge by Huber's loss: beyond the median error, a row counts by its absolute error."""
    penalties = np.full(inputs.shape[1], penalty)
    penalties[-1] *= _INTERCEPT_SHARE
    weights: Floats = importance
    answer: Floats = np.zeros(inputs.shape[1])
    for _ in range(rounds):
        weighted = inputs * weights[:, None]
        gram = weighted.T @ inputs + np.diag(penalties)
        answer = np.asarray(np.linalg.solve(gram, weighted.T @ target), dtype=np.float64)
        off = np.abs(target - inputs @ answer)
        weights = np.asarray(importance / np.maximum(off / (np.median(off) + 1e-12), 1.0), dtype=np.float64)
    return answer


def _moments(values: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, values, 0.0).sum(axis=0) / count
    variance = (np.where(known, values - center, 0.0) ** 2).sum(axis=0) / count
    width = np.sqrt(variance)
    return center, np.where(width > 1e-9, width, 1.0)


def _standard(values: Floats, center: Floats, width: Floats) -> Floats:
    scaled = np.clip((values - center) / width, -_CLIP, _CLIP)
    return np.asarray(np.where(np.isnan(scaled), 0.0, scaled))


def _between(day_part: Floats) -> tuple[Indices, Indices, Floats]:
    """The half-hours whose centres lie on both sides, and the share of the later one."""
    place = day_part * HALF_HOURS - 0.5
    lower = np.floor(place)
    part = place - lower
    at = lower.astype(np.intp)
    return at % HALF_HOURS, (at + 1) % HALF_HOURS, part
