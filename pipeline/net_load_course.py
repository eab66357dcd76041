"""The expected course of net load from a measurement on: the outlook's paths, corrected by what was measured.

Two paths are known beforehand: the level that day-ahead prices imply, and what is typical of the time of
day. From now on net load follows a weighted mean of their changes, and gives up by and by the distance from
them that it has now. The weights are learnt for some leads, by a ridge that shrinks to the implied path
alone, from days of the past; those between are interpolated. How wrong a 30-minute change then is, is
learnt with them, by the lead at which it ends and by time of day: one that begins hours ahead is told worse
than the next one, which begins at a measurement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Indices

LOOK_BACK_S: Final = 3600.0
"""How much of the past a course rests on."""
INPUTS: Final = 9
_WINDOWS: Final = (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Leads in windows of 30 minutes, beside the shortest ones."""
_PENALTY: Final = 0.02
_FOLDS: Final = 5
_SLOT_SMOOTHING_S: Final = 7200.0
_SLOT_SHRINKAGE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Paths:
    """What is known of consecutive intervals beforehand, in kW.

    Attributes:
        implied: level that day-ahead prices imply, linear between hours; typical where there are none.
        bent: the same with the hours' means kept.
        typical: of the time of day.
    """

    implied: Floats
    bent: Floats
    typical: Floats

    def since(self, first: int) -> "Paths":
        """The part from an interval on."""
        return Paths(self.implied[first:], self.bent[first:], self.typical[first:])


@dataclass(frozen=True, slots=True)
class PastDay:
    """A day to learn from: its paths, and what net load did, in kW; NaN is missing.

    Attributes:
        slots: interval of the local day of each entry.
    """

    paths: Paths
    net_load_kw: Floats
    slots: Indices


@dataclass(frozen=True, slots=True)
class Correction:
    """Learnt weights.

    Attributes:
        window: intervals in 30 minutes.
        leads: in intervals, ascending.
        weights: one row a lead, one entry an input.
        sigma_kw: standard deviation of the 30-minute change's error that ends at each lead.
        slot_factor: of the error by interval of the local day of the target, around 1.
    """

    window: int
    leads: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    sigma_kw: tuple[float, ...]
    slot_factor: tuple[float, ...]

    def levels_kw(self, seen_kw: Floats, paths: Paths, steps: int) -> Floats:
        """Expected levels of the ``steps`` intervals after the newest one.

        Args:
            seen_kw: measured, as long as the past part of ``paths``; the newest is not missing.
            paths: from the oldest of those to at least the last interval wanted.
            steps: how many.
        """
        ahead = np.arange(1, steps + 1)
        inputs = course_inputs(seen_kw, paths, ahead, self.window)
        return np.asarray(seen_kw[-1] + np.sum(inputs * _weights(self, steps), axis=1))

    def sigma_of_change_kw(self, slots: Indices) -> Floats:
        """Standard deviation of the 30-minute change that ends in each coming interval.

        Args:
            slots: interval of the local day of each.
        """
        ahead = np.arange(1, len(slots) + 1)
        return np.asarray(
            self._between(ahead, np.asarray(self.sigma_kw)) * np.asarray(self.slot_factor)[slots]
        )

    def _between(self, ahead: Indices, by_lead: Floats) -> Floats:
        return np.interp(np.log(ahead), np.log(self.leads), by_lead)

    def weights_ahead(self, steps: int) -> Floats:
        """Weights of the next ``steps`` intervals, a row each."""
        ahead, by_lead = np.arange(1, steps + 1), np.asarray(self.weights)
        return np.column_stack([self._between(ahead, by_lead[:, column]) for column in range(INPUTS)])


_weights = lru_cache(maxsize=8)(Correction.weights_ahead)
"""They are the same at every moment."""


def course_inputs(seen_kw: Floats, paths: Paths, ahead: Indices, window: int) -> Floats:
    """The inputs for some leads, a row each; what is missing counts as no distance from the paths."""
    now = len(seen_kw) - 1
    then = np.minimum(now + ahead, len(paths.implied) - 1)
    away = seen_kw - paths.implied[: now + 1]
    unusual = seen_kw - paths.typical[: now + 1]
    before, half_hour = max(0, now - 1), max(0, now - window)
    drift, unusual_drift = away[now] - away[half_hour], unusual[now] - unusual[half_hour]
    bend = paths.bent - paths.implied
    inputs = np.empty((len(ahead), INPUTS))
    inputs[:, 0] = paths.implied[then] - paths.implied[now]
    inputs[:, 1] = bend[then] - bend[now]
    inputs[:, 2] = paths.typical[then] - paths.typical[now]
    inputs[:, 3:] = (
        away[now],
        _mean(away[-window:]) - away[now],
        _mean(away[-2 * window :]) - away[now],
        drift,
        away[now] - away[before],
        unusual_drift - drift,
    )
    return np.nan_to_num(inputs)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def fit_correction(days: Sequence[PastDay], interval_s: float, window: int) -> Correction | None:
    """Learn weights and errors; None where the days are too few or too short.

    Args:
        days: past days.
        interval_s: length of an interval.
        window: intervals in 30 minutes.
    """
    slots = round(86_400.0 / interval_s)
    wanted = {1, 2, 3, *(max(1, round(windows * window)) for windows in _WINDOWS)}
    leads = np.array(sorted(lead for lead in wanted if lead < slots * 2 // 3), dtype=np.intp)
    samples = [sample for k, day in enumerate(days) for sample in _samples(k, day, leads, window)]
    table = _Table.of(samples, len(leads))
    if table is None:
        return None
    places = tuple(int(lead) for lead in leads)
    error_kw, slot = _errors(days, table, places, window)
    at_window = places.index(window)
    return Correction(
        window=window,
        leads=places,
        weights=table.weights(),
        sigma_kw=tuple(np.sqrt(np.nanmean(error_kw**2, axis=0)).tolist()),
        slot_factor=tuple(
            _slot_factor(slot[:, at_window], error_kw[:, at_window], slots, interval_s).tolist()
        ),
    )


def past_moments(day: PastDay, window: int) -> Iterator[tuple[int, Floats, Paths]]:
    """Some moments of a day with what was measured until then, and the paths from there on."""
    level_kw = day.net_load_kw
    for now in range(window, len(level_kw) - 1, max(1, window // 2)):
        if not np.isnan(level_kw[now]):
            first = max(0, now - 2 * window)
            yield now, level_kw[first : now + 1], day.paths.since(first)


def _errors(
    days: Sequence[PastDay], table: "_Table", leads: tuple[int, ...], window: int
) -> tuple[Floats, Indices]:
    """Errors of the 30-minute changes that end at each lead, and the slots of their ends; moment × lead.

    Each by weights that did not see its day. NaN beyond the day, and where net load is missing.
    """
    at, known = np.array(leads), np.unique(table.day)
    folds = [known[fold::_FOLDS] for fold in range(min(_FOLDS, len(known)))]
    errors, slots = [], []
    for fold in folds:
        course = Correction(window, leads, table.weights(without=fold), (), ())
        for day in (days[number] for number in fold):
            for now, seen_kw, paths in past_moments(day, window):
                off_kw = np.zeros(at[-1] + 1)
                off_kw[1:] = course.levels_kw(seen_kw, paths, int(at[-1])) - _ahead_of(day, now, int(at[-1]))
                errors.append(off_kw[at] - off_kw[np.maximum(at - window, 0)])
                slots.append(day.slots[np.minimum(now + at, len(day.slots) - 1)])
    return np.array(errors), np.array(slots)


def _ahead_of(day: PastDay, now: int, steps: int) -> Floats:
    """Net load of the ``steps`` intervals after a moment; NaN beyond the day."""
    ahead = day.net_load_kw[now + 1 : now + 1 + steps]
    return np.concatenate((ahead, np.full(steps - len(ahead), np.nan)))


_Sample = tuple[int, int, Floats, float]
"""Lead's place, day, inputs, what was to be met."""


def _samples(number: int, day: PastDay, leads: Indices, window: int) -> list[_Sample]:
    found: list[_Sample] = []
    for now, seen_kw, paths in past_moments(day, window):
        reached = leads[leads < len(day.net_load_kw) - now]
        inputs = course_inputs(seen_kw, paths, reached, window)
        change_kw = day.net_load_kw[now + reached] - day.net_load_kw[now]
        found += [
            (int(place), number, inputs[place], float(change_kw[place]))
            for place in np.flatnonzero(~np.isnan(change_kw))
        ]
    return found


@dataclass(frozen=True)
class _Table:
    """Samples of all leads."""

    leads: int
    lead: Indices
    day: Indices
    inputs: Floats
    target: Floats

    @classmethod
    def of(cls, samples: Sequence[_Sample], leads: int) -> "_Table | None":
        """None unless every lead has samples of two days or more."""
        if not samples:
            return None
        lead, day, inputs, target = zip(*samples, strict=True)
        table = cls(leads, np.array(lead), np.array(day), np.array(inputs), np.array(target))
        enough = all(len(np.unique(table.day[table.lead == k])) >= 2 for k in range(leads))
        return table if enough else None

    def weights(self, without: Indices | None = None) -> tuple[tuple[float, ...], ...]:
        """One row a lead, from all days or all but some."""
        kept = np.ones(len(self.day), dtype=np.bool_) if without is None else ~np.isin(self.day, without)
        rows = [kept & (self.lead == lead) for lead in range(self.leads)]
        return tuple(tuple(_ridge(self.inputs[row], self.target[row]).tolist()) for row in rows)


def _ridge(inputs: Floats, target: Floats) -> Floats:
    """Shrunk towards following the implied path alone."""
    width = inputs.std(axis=0) + 1e-9 * max(1.0, float(np.abs(target).max()))
    scaled = inputs / width
    start = np.zeros(INPUTS)
    start[0] = 1.0
    gram = scaled.T @ scaled + _PENALTY * len(target) * np.eye(INPUTS)
    return np.asarray(start + np.linalg.solve(gram, scaled.T @ (target - inputs @ start)) / width)


def _slot_factor(slots: Indices, error: Floats, count: int, interval_s: float) -> Floats:
    """Error by time of day over the mean one, smoothed over neighbours around the clock."""
    known = ~np.isnan(error)
    slots, error = slots[known], error[known]
    squares = np.bincount(slots, weights=error**2, minlength=count)[:count]
    seen = np.bincount(slots, minlength=count)[:count].astype(np.float64)
    width = min(count, round(_SLOT_SMOOTHING_S / interval_s) | 1)
    mean = max(float(np.sum(squares) / np.sum(seen)), 1e-12)
    around = [np.convolve(np.tile(values, 3), np.ones(width), "same") for values in (squares / mean, seen)]
    smooth, weight = (values[count : 2 * count] for values in around)
    return np.asarray(np.sqrt((smooth + _SLOT_SHRINKAGE) / (weight + _SLOT_SHRINKAGE)))
