"""Figures of a set of days: value capture from sums, with its spread over the days."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.accounts import DayAccounts, ramp_relief, trade_share, value_capture

_LEAST_SHARE = 0.05
_BOOTSTRAPS = 1000


@dataclass(frozen=True, slots=True)
class SetFigures:
    """A set of days; a ratio is None where its denominator is not positive.

    Attributes:
        value_capture, ramp_relief, trade_share: from sums over all days.
        day_captures: by day; None where a day could gain less than 5 % of the set's mean.
        mean, p10, worst: of those that are there.
        bootstrap_error: standard deviation of ``value_capture`` when days are drawn anew.
    """

    value_capture: float | None
    ramp_relief: float | None
    trade_share: float | None
    day_captures: tuple[float | None, ...]
    mean: float | None
    p10: float | None
    worst: float | None
    bootstrap_error: float | None


def set_figures(days: Sequence[DayAccounts]) -> SetFigures:
    """The figures of a set of days."""
    possible = np.array([day.no_action.cost_usd - day.perfect_bound_usd for day in days])
    least = _LEAST_SHARE * float(possible.mean()) if len(days) else 0.0
    captures = tuple(
        day.value_capture if gain >= least else None for day, gain in zip(days, possible, strict=True)
    )
    known = np.array([capture for capture in captures if capture is not None])
    return SetFigures(
        value_capture=value_capture(days),
        ramp_relief=ramp_relief(days),
        trade_share=trade_share(days),
        day_captures=captures,
        mean=float(known.mean()) if len(known) else None,
        p10=float(np.percentile(known, 10)) if len(known) else None,
        worst=float(known.min()) if len(known) else None,
        bootstrap_error=_bootstrap_error(days),
    )


def _bootstrap_error(days: Sequence[DayAccounts]) -> float | None:
    """By a fixed stream of chance, so that the same days give the same figure; None below two days."""
    if len(days) < 2:
        return None
    gained = np.array([day.no_action.cost_usd - day.ours.cost_usd for day in days])
    possible = np.array([day.no_action.cost_usd - day.perfect_bound_usd for day in days])
    rows = np.random.default_rng(0).integers(0, len(days), (_BOOTSTRAPS, len(days)))
    whole = possible[rows].sum(axis=1)
    ratios = gained[rows].sum(axis=1)[whole > 1e-9] / whole[whole > 1e-9]
    return float(ratios.std()) if len(ratios) else None
