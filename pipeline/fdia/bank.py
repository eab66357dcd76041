"""Fitted parameters of channel detectors, stacked so that many run side by side."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from pipeline.fdia.layout import REPLAY_ROWS, Floats, Integers, Layout

PULSE: Final = 0
NOISE: Final = 1
FROZEN: Final = 2
REPLAY: Final = 3
DELAY: Final = REPLAY + len(REPLAY_ROWS)
SIDES: Final = DELAY + 1
"""Places of the statistics that follow those of the path, and how many they are."""

LARGEST_INTEREST: Final = 0.05
INTEREST_AT_15_MIN: Final = 0.018
FULL_SHARE_MIN: Final = 120.0
JUMP_SHARE: Final = 0.15
"""Of a full share, for what jumps within a quarter of an hour; half of it within half an hour."""
LAST_MIN: Final = 210.0
LAST_SHARE: Final = 0.1
"""Beyond this age the path is kept for its substitutes rather than for alarms."""
LAST_WITHOUT_DAYS_MIN: Final = 15.0
"""Without past days to compare with only jumps can be told from weather; the path is for substitutes."""
NO_SHARE: Final = 1e-30
SIDE_SHARE: Final = 0.03


@dataclass(frozen=True)
class Bank:
    """Models along the first axis; a lane names the one that judges it.

    Attributes:
        layout: lags and horizons of all.
        weights: model × block × horizon × (lags, calendar), of the change in kW.
        spread_kw: model × block × horizon.
        interest_kw: model × horizon: the smallest deviation worth an alarm, by age.
        level_kw: model: mean of |channel|.
        resolution_kw: model: differences below it count as none.
        repeat: model × delay: −ln of how often a row that moved repeats the one so long before by chance.
        ordinary: model: mean of |one-step residual| in spreads on clean rows.
        tails: model × statistic × :data:`pipeline.fdia.tails.PARAMETERS`.
        usual: model × (a surprise that clean rows reach often, the share of rows that do); a share of
            0 stands for: not known.
    """

    layout: Layout
    weights: Floats
    spread_kw: Floats
    interest_kw: Floats
    level_kw: Floats
    resolution_kw: Floats
    repeat: Floats
    ordinary: Floats
    tails: Floats
    usual: Floats

    def change_kw(self, model: Integers, block: Integers, inputs: Floats) -> Floats:
        """Lane × horizon: the forecast change from each lane's lags and calendar terms.

        Lanes with the same weights share one copy of them; each lane's bits are the same either way.
        """
        if len(model) and (block == block[0]).all() and (model == model[0]).all():
            return np.asarray(np.matmul(self.weights[model[0], block[0]], inputs[:, :, None])[:, :, 0])
        return np.asarray(np.matmul(self.weights[model, block], inputs[:, :, None])[:, :, 0])


ARRAYS: Final = tuple(part.name for part in fields(Bank) if part.name != "layout")
"""Its parts that have a row a model."""


def statistics_count(layout: Layout) -> int:
    """How many statistics a channel has."""
    return len(layout.horizons) + SIDES


def interest_kw(spread_kw: Floats, level_kw: float, layout: Layout) -> Floats:
    """The smallest deviation worth an alarm, by age.

    The share of false alarms that an age and a part of the day get is spent where a deviation of
    this size can be told from noise; where it can always or never be, a lower threshold buys nothing.
    """
    minutes = layout.horizons * layout.cadence_s / 60.0
    relative = np.minimum(LARGEST_INTEREST, INTEREST_AT_15_MIN * np.sqrt(minutes / 15.0))
    return np.asarray(np.maximum(relative * level_kw, 2.0 * np.median(spread_kw, axis=0)))


def log_shares(layout: Layout) -> Floats:
    """Logarithm of each statistic's share of the false-alarm budget.

    A jump stands far out of the noise and needs little; slow deviations need nearly all of it.
    """
    minutes = layout.horizons * layout.cadence_s / 60.0
    path = np.minimum(1.0, (minutes / FULL_SHARE_MIN) ** 1.5)
    path = np.maximum(path, JUMP_SHARE * np.minimum(1.0, 15.0 / minutes))
    path[minutes > LAST_MIN] = LAST_SHARE
    if layout.days == 0:
        path = np.where(minutes > LAST_WITHOUT_DAYS_MIN, NO_SHARE, 1.0)
    side = np.full(SIDES, SIDE_SHARE)
    shares = np.concatenate([path, side])
    return np.asarray(np.log(shares / shares.sum()))
