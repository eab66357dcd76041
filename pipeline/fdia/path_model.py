"""The forecast path of one channel: ridge regressions per part of the day, cross-fitted on training rows.

A path is the forecast of the next four hours from one origin. Weights are kept over raw lags, so
that a prediction is one weighted sum per horizon. Each quarter of an hour has weights of its own,
learnt from itself, from the same minute of the neighbouring hours, and a little from what is near:
schedules change at full hours, and those quarters behave unlike the rest.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.fdia.errors import DetectorError
from pipeline.fdia.layout import SEASON_WAVES, Booleans, Calendar, Floats, Integers, Layout

PENALTY: Final = 1e-3
SAME_MINUTE: Final = 0.6
NEAR: Final = 0.1
NEAR_MIN: Final = 75
NEAR_WITHOUT_DAYS: Final = 0.5
"""Without past days to compare with there are few rows to learn from: neighbours count for more."""
LEAST_SEASON_DAYS: Final = 360.0
LEAST_WEEKDAY_DAYS: Final = 28.0
FEWEST_ROWS_PER_BLOCK: Final = 14
SPREAD_QUANTILE: Final = 0.9
_QUANTILE_SIGMAS: Final = 1.645
SPREAD_NEIGHBOURS: Final = 3
LEAST_SPREAD: Final = 0.001
"""Of the mean level: no forecast of a real meter is believed to be better (solar at night)."""


@dataclass(frozen=True)
class PathFit:
    """What the training rows taught.

    Attributes:
        weights: fold × block × horizon × (lags, calendar): the change in kW from the origin. Fold k
            was fitted without the rows of fold k; the last one on all rows.
        spread_kw: block × horizon: deviation of the cross-fitted residual.
        residual_kw: row × horizon: cross-fitted residual of the path from each origin; NaN where
            an end or the history is missing.
    """

    weights: Floats
    spread_kw: Floats
    residual_kw: Floats


def fit_paths(values_kw: Floats, calendar: Calendar, fold: Integers, layout: Layout) -> PathFit:
    """Fit the paths of one channel.

    Args:
        values_kw: training rows of a regular series; NaN where missing.
        calendar: of those rows.
        fold: of each row, from 0; a row's residual comes from a fit without its fold.
        layout: lags and horizons.

    Raises:
        DetectorError: if a part of the day has fewer than two weeks of complete rows.
    """
    calendar = _without_unseen_seasons(calendar, np.count_nonzero(~np.isnan(values_kw)) / layout.day_rows)
    origins = _complete_rows(values_kw, layout)
    by_block = [origins[calendar.block[origins] == block] for block in range(layout.blocks)]
    if layout.days and min(len(rows) for rows in by_block) < FEWEST_ROWS_PER_BLOCK:
        raise DetectorError(
            "too few complete rows before T to learn the daily pattern: give five weeks or more without gaps"
        )
    scale = _feature_scale(values_kw, origins, layout)
    grams = [
        _grams(values_kw, rows, calendar=calendar, fold=fold, scale=scale, layout=layout) for rows in by_block
    ]
    most = max(gram.shape[1] for gram, _ in grams)
    inner = np.stack([np.repeat(gram, most // gram.shape[1], axis=1) for gram, _ in grams], axis=1)
    outer = np.stack([cross for _, cross in grams], axis=1)
    kept_inner = np.concatenate([inner.sum(axis=0) - inner, inner.sum(axis=0, keepdims=True)])
    kept_outer = np.concatenate([outer.sum(axis=0) - outer, outer.sum(axis=0, keepdims=True)])
    weights = np.stack([_solve(g, c, scale, layout) for g, c in zip(kept_inner, kept_outer, strict=True)])
    residual = _residuals(values_kw, by_block, calendar=calendar, fold=fold, weights=weights, layout=layout)
    level_kw = float(np.nanmean(np.abs(values_kw)))
    return PathFit(weights, _spread(residual, calendar.block, level_kw, layout), residual)


def _without_unseen_seasons(calendar: Calendar, days: float) -> Calendar:
    """Less than a year cannot tell a wave of the year from a trend: it would be extrapolated."""
    if days >= LEAST_SEASON_DAYS:
        return calendar
    terms = calendar.terms.copy()
    terms[:, -2 * len(SEASON_WAVES) :] = 0.0
    if days < LEAST_WEEKDAY_DAYS:
        terms[:, 1:] = 0.0
    return Calendar(calendar.block, terms)


def _complete_rows(values_kw: Floats, layout: Layout) -> Integers:
    """Origins with a whole history, and, where past days are compared with, a whole future."""
    missing = np.concatenate([[0], np.cumsum(np.isnan(values_kw))])
    future = layout.longest if layout.days else 0
    first, last = layout.reach - 1, len(values_kw) - layout.longest
    if last <= first:
        return np.zeros(0, dtype=np.int64)
    rows = np.arange(first, last)
    gaps = missing[rows + future + 1] - missing[rows - layout.reach + 1]
    return np.asarray(rows[gaps == 0])


def _inputs(values_kw: Floats, rows: Integers, layout: Layout) -> Floats:
    return np.asarray(values_kw[rows[:, None] - layout.lags] @ layout.mixing.T)


def _feature_scale(values_kw: Floats, origins: Integers, layout: Layout) -> Floats:
    deviation = _inputs(values_kw, origins[::7], layout).std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)


def _grams(
    values_kw: Floats,
    rows: Integers,
    *,
    calendar: Calendar,
    fold: Integers,
    scale: Floats,
    layout: Layout,
) -> tuple[Floats, Floats]:
    features = np.hstack([_inputs(values_kw, rows, layout) / scale, calendar.terms[rows]])
    changes = values_kw[rows[:, None] + layout.horizons] - values_kw[rows, None]
    of_fold = [fold[rows] == k for k in range(int(fold.max()) + 1)]
    outer = np.stack([features[mask].T @ np.nan_to_num(changes[mask]) for mask in of_fold])
    if not np.isnan(changes).any():
        return np.stack([features[mask].T @ features[mask] for mask in of_fold])[:, None], outer
    known = (~np.isnan(changes)).astype(np.float64)
    return np.stack([_grams_by_horizon(features[mask], known[mask]) for mask in of_fold]), outer


def _grams_by_horizon(features: Floats, known: Floats) -> Floats:
    return np.stack([features.T @ (features * of_horizon[:, None]) for of_horizon in known.T])


def _neighbours(layout: Layout) -> Floats:
    """Block × block: how much one part of the day learns from another."""
    at = np.arange(layout.blocks) * (24 * 60 // layout.blocks)
    apart = np.abs((at[:, None] - at + 720) % 1440 - 720)
    near = np.where(apart <= NEAR_MIN, NEAR if layout.days else NEAR_WITHOUT_DAYS, 0.0)
    return np.where(apart == 0, 1.0, np.where(apart == 60, SAME_MINUTE, near))


def _solve(inner: Floats, outer: Floats, scale: Floats, layout: Layout) -> Floats:
    share = _neighbours(layout)
    mixed_inner = np.tensordot(share, inner, axes=1)
    mixed_outer = np.tensordot(share, outer, axes=1)
    count = np.maximum(mixed_inner[..., len(scale), len(scale)], 1e-3)
    penalty = np.eye(inner.shape[-1])
    penalty[len(scale), len(scale)] = 1e-9
    held = mixed_inner + PENALTY * count[..., None, None] * penalty
    if held.shape[1] == 1:
        solved = np.linalg.solve(held[:, 0], mixed_outer)
    else:
        solved = np.linalg.solve(held, mixed_outer.transpose(0, 2, 1)[..., None])[..., 0].transpose(0, 2, 1)
    over_lags = np.einsum("bfh,fl->bhl", solved[:, : len(scale)] / scale[:, None], layout.mixing)
    return np.concatenate([over_lags, solved[:, len(scale) :].transpose(0, 2, 1)], axis=2)


def _residuals(
    values_kw: Floats,
    by_block: list[Integers],
    *,
    calendar: Calendar,
    fold: Integers,
    weights: Floats,
    layout: Layout,
) -> Floats:
    residual = np.full((len(values_kw), len(layout.horizons)), np.nan)
    for block, rows in enumerate(by_block):
        for k in range(len(weights) - 1):
            chosen = rows[fold[rows] == k]
            inputs = np.hstack([values_kw[chosen[:, None] - layout.lags], calendar.terms[chosen]])
            changes = values_kw[chosen[:, None] + layout.horizons] - values_kw[chosen, None]
            residual[chosen] = changes - inputs @ weights[k, block].T
    return residual


def _spread(residual_kw: Floats, block: Integers, level_kw: float, layout: Layout) -> Floats:
    """By the block of the target, a little smoothed over the same minute of the neighbouring hours."""
    spread = np.empty((layout.blocks, len(layout.horizons)))
    near = 0 if layout.days else SPREAD_NEIGHBOURS
    for at, horizon in enumerate(layout.horizons.tolist()):
        error, of_block = np.abs(residual_kw[:-horizon, at]), block[horizon:]
        for part in range(layout.blocks):
            known = error[_near(of_block, part, near, layout.blocks)]
            known = known[~np.isnan(known)]
            spread[part, at] = np.quantile(known, SPREAD_QUANTILE) if len(known) else np.nan
    spread = np.where(np.isnan(spread), np.nanmedian(spread, axis=0), spread)
    hour = layout.blocks // 24
    smooth = (2 * spread + np.roll(spread, hour, axis=0) + np.roll(spread, -hour, axis=0)) / 4
    return np.maximum(smooth / _QUANTILE_SIGMAS, LEAST_SPREAD * level_kw)


def _near(block: Integers, part: int, reach: int, blocks: int) -> Booleans:
    if reach == 0:
        return np.asarray(block == part)
    return np.asarray(np.abs((block - part + blocks // 2) % blocks - blocks // 2) <= reach)


def one_step_sigma_kw(values_kw: Floats, calendar: Calendar, layout: Layout) -> float:
    """Deviation of the one-step residual, cross-fitted over two halves."""
    half = (np.arange(len(values_kw)) * 2 // max(1, len(values_kw))).astype(np.int64)
    return float(np.nanstd(fit_paths(values_kw, calendar, half, layout).residual_kw[:, 0]))
