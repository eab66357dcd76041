"""Two plain detectors beside ours: an isolation forest and a z-score, on the same past.

Both read residuals against the same step of the last seven days, with no episodes and no
substitutes: what an expert sets up in an afternoon.
"""

from typing import Final

import numpy as np
from sklearn.ensemble import IsolationForest

from pipeline.fdia.layout import DAYS, Floats, Layout
from pipeline.fdia.scoring import rearmed

TREES: Final = 100
LEARNT_ROWS: Final = 20_000
STEPS_MIN: Final = (15, 60, 240)


def residual_zscore(values_kw: Floats, block_of_row: Floats, until: int, layout: Layout) -> Floats:
    """|One-step change minus its mean at the same time of the last seven days|, by part of the day.

    Args:
        values_kw: rows of a regular series.
        block_of_row: part of the day of each row.
        until: spreads are learnt on rows before it.
        layout: cadence.
    """
    residual = np.abs(_residual(values_kw, 1, layout))
    spread = np.array(
        [np.nanmedian(residual[:until][block_of_row[:until] == part]) for part in range(layout.blocks)]
    )
    return np.asarray(residual / np.maximum(1.4826 * spread, 1e-9)[block_of_row.astype(np.int64)])


def isolation_forest(values_kw: Floats, until: int, layout: Layout) -> Floats:
    """Anomaly score of an isolation forest on residuals over 15 minutes, an hour and four hours."""
    steps = sorted({max(1, round(60 * minutes / layout.cadence_s)) for minutes in STEPS_MIN})
    features = np.column_stack([_residual(values_kw, step, layout) for step in steps])
    known = np.asarray(~np.isnan(features).any(axis=1))
    learnt = np.flatnonzero(known[:until])
    forest = IsolationForest(n_estimators=TREES, random_state=0, n_jobs=1)
    forest.fit(features[learnt[:: max(1, len(learnt) // LEARNT_ROWS)]])
    score = np.full(len(values_kw), np.nan)
    score[known] = -forest.score_samples(features[known])
    return score


def _residual(values_kw: Floats, step: int, layout: Layout) -> Floats:
    """Change over some rows minus its mean at the same time of the last seven days."""
    change = np.full(len(values_kw), np.nan)
    change[step:] = values_kw[step:] - values_kw[:-step]
    past = np.full((DAYS, len(values_kw)), np.nan)
    for days in range(1, DAYS + 1):
        lag = days * layout.day_rows
        past[days - 1, lag:] = change[:-lag] if lag < len(change) else past[days - 1, lag:]
    return np.asarray(change - past.mean(axis=0))


def threshold_at(score: Floats, until: int, per_day: float, layout: Layout) -> float:
    """The threshold that gives a rate of alarms, re-armed hourly, on the rows before ``until``."""
    clean = score[:until]
    known = clean[~np.isnan(clean)]
    days = len(known) / layout.day_rows
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2.0
        limit = float(np.quantile(known, 1.0 - middle * 0.1))
        with_nan = np.nan_to_num(clean, nan=-np.inf)
        if len(rearmed(np.flatnonzero(with_nan >= limit), layout.hour_rows)) / days > per_day:
            high = middle
        else:
            low = middle
    return float(np.quantile(known, 1.0 - low * 0.1))
