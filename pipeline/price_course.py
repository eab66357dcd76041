"""The expected real-time price of the coming intervals, and how far it may stray.

Day-ahead prices are the base, or what the net load usually makes of the price where there are none. What
the real-time price adds to them is learnt from past days, for some leads: the price that the expected net
load makes likely, against the base; a mark-up on steep rises; and the distance of the known price from all
that, which fades with the lead: the usual part of it slowly, what is out of the usual (a spike) fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from pipeline.arrays import Floats

INPUTS: Final = 5
QUANTILES: Final = (0.1, 0.5, 0.9)
_LEADS_S: Final = (600, 900, 1200, 1800, 2400, 3600, 7200, 14_400, 28_800)
_RAMP_FROM: Final = 0.5
_USUAL_SIGMAS: Final = 3.0
_PENALTY: Final = 0.01
_FEWEST_SAMPLES: Final = 100
_CUT_PERCENT: Final = 99.5
_KNOTS: Final = 65


@dataclass(frozen=True, slots=True)
class PriceCourse:
    """What was learnt.

    Attributes:
        level_kw, price_usd_per_mwh: usual real-time price by net load, rising.
        ramp_kw: 97th percentile of |30-minute change|.
        usual_usd_per_mwh: how far a price usually strays from what is expected.
        leads: in intervals, the coming interval being 1.
        weights: one row a lead, one entry an input.
        spread_usd_per_mwh: at each lead, the quantiles of price less expectation.
    """

    level_kw: tuple[float, ...]
    price_usd_per_mwh: tuple[float, ...]
    ramp_kw: float
    usual_usd_per_mwh: float
    leads: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    spread_usd_per_mwh: tuple[tuple[float, ...], ...]

    def expected_usd_per_mwh(self, now: float | None, day_ahead: Floats, levels_kw: Floats) -> Floats:
        """Expected prices from the coming interval on; NaN where neither price nor level is known.

        Args:
            now: real-time price of the coming interval; None when unknown.
            day_ahead: day-ahead price of each interval; NaN is missing.
            levels_kw: expected net load from 30 minutes before the coming interval to the last one.
        """
        steps = len(day_ahead)
        base, inputs = self.base_and_inputs(now, day_ahead, levels_kw)
        expected = base + np.sum(inputs * _ahead(self, "weights", steps), axis=1)
        if now is not None and steps:
            expected[0] = now
        return np.asarray(expected)

    def strays_usd_per_mwh(self, steps: int) -> Floats:
        """Quantiles of price less expectation, a row each interval; none in the first, which is known."""
        strays = _ahead(self, "spread_usd_per_mwh", steps).copy()
        strays[:1] = 0.0
        return strays

    def base_and_inputs(
        self, now: float | None, day_ahead: Floats, levels_kw: Floats
    ) -> tuple[Floats, Floats]:
        """Base price of each interval, and its inputs, a row each; arguments as above."""
        steps = len(day_ahead)
        level = levels_kw[len(levels_kw) - steps :]
        usual = np.interp(level, self.level_kw, self.price_usd_per_mwh)
        base = np.where(np.isnan(day_ahead), usual, day_ahead)
        change = level - levels_kw[:steps] if len(levels_kw) > steps else np.zeros(steps)
        ramp = np.nan_to_num(np.maximum(0.0, change / self.ramp_kw - _RAMP_FROM))
        off = 0.0 if now is None or not steps else float(np.nan_to_num(now - usual[0]))
        near = float(np.clip(off, -self.usual_usd_per_mwh, self.usual_usd_per_mwh))
        rest = np.full((steps, 3), (near, off - near, 1.0))
        return base, np.column_stack([np.nan_to_num(usual - base), ramp, rest])


@lru_cache(maxsize=8)
def _ahead(course: PriceCourse, learnt: Literal["weights", "spread_usd_per_mwh"], steps: int) -> Floats:
    """What was learnt for some leads, for each of the next ``steps`` intervals: a row each, at any moment."""
    ahead, leads = np.log(np.arange(1, steps + 1)), np.log(course.leads)
    columns = np.asarray(getattr(course, learnt)).T
    return np.column_stack([np.interp(ahead, leads, by_lead) for by_lead in columns])


@dataclass(frozen=True, slots=True)
class PricedMoment:
    """A moment of a past day: what was expected at it, and the prices that came.

    Attributes:
        price, day_ahead: of the coming interval and those after it; NaN is missing.
        levels_kw: expected then, from 30 minutes before the coming interval on.
    """

    price: Floats
    day_ahead: Floats
    levels_kw: Floats


def fit_price_course(
    moments: Sequence[PricedMoment], level_kw: Floats, price: Floats, ramp_kw: float, interval_s: float
) -> PriceCourse | None:
    """Learn it; None where there are too few prices.

    Args:
        moments: of past days.
        level_kw, price: net load and real-time price of all past intervals.
        ramp_kw: 97th percentile of |30-minute change|.
        interval_s: length of an interval.
    """
    known = ~np.isnan(level_kw + price)
    if known.sum() < _FEWEST_SAMPLES or ramp_kw <= 0.0:
        return None
    knots_kw, knots_price = _usual_price(level_kw[known], price[known])
    usual = _usual_distance(price[known] - np.interp(level_kw[known], knots_kw, knots_price))
    first = PriceCourse(knots_kw, knots_price, ramp_kw, usual, (1,), ((0.0,) * INPUTS,), ((0.0,) * 3,))
    leads, weights, spread = [], [], []
    for lead in sorted({max(2, round(after_s / interval_s)) for after_s in _LEADS_S}):
        found = _samples(first, moments, lead)
        if len(found) >= _FEWEST_SAMPLES:
            row = _ridge(found[:, :INPUTS], found[:, INPUTS])
            left = found[:, INPUTS] - found[:, :INPUTS] @ row
            leads.append(lead)
            weights.append(tuple(row.tolist()))
            spread.append(tuple(np.quantile(left, QUANTILES).tolist()))
    if not leads:
        return None
    return PriceCourse(knots_kw, knots_price, ramp_kw, usual, tuple(leads), tuple(weights), tuple(spread))


def _usual_price(level_kw: Floats, price: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A rising curve from net load to price, spikes cut, on few knots."""
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - slow to import; only training needs it

    cut = np.minimum(price, np.percentile(price, 99.0))
    curve = IsotonicRegression(out_of_bounds="clip").fit(level_kw, cut)
    knots = np.quantile(level_kw, np.linspace(0.0, 1.0, _KNOTS))
    knots = np.unique(knots)
    return tuple(knots.tolist()), tuple(np.asarray(curve.predict(knots)).tolist())


def _usual_distance(off: Floats) -> float:
    deviation = 1.4826 * float(np.median(np.abs(off - np.median(off))))
    return max(1e-6, _USUAL_SIGMAS * deviation)


def _samples(course: PriceCourse, moments: Sequence[PricedMoment], lead: int) -> Floats:
    """Inputs and what was to be met, a row each moment that reaches so far."""
    rows = []
    for moment in moments:
        if len(moment.price) < lead or np.isnan(moment.price[0]):
            continue
        cut = len(moment.levels_kw) - len(moment.day_ahead) + lead
        base, inputs = course.base_and_inputs(
            float(moment.price[0]), moment.day_ahead[:lead], moment.levels_kw[:cut]
        )
        rows.append([*inputs[-1], moment.price[lead - 1] - base[-1]])
    found = np.array(rows, dtype=np.float64).reshape(-1, INPUTS + 1)
    return np.asarray(found[~np.isnan(found).any(axis=1)])


def _ridge(inputs: Floats, target: Floats) -> Floats:
    cut = np.minimum(target, np.percentile(target, _CUT_PERCENT))
    width = inputs.std(axis=0) + 1e-3
    width[-1] = 1.0
    scaled = inputs / width
    gram = scaled.T @ scaled + _PENALTY * len(target) * np.eye(INPUTS)
    return np.asarray(np.linalg.solve(gram, scaled.T @ cut) / width)
