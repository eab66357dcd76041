"""What trees cannot teach: prices so far above the level that a market shows them on a few days a year.

Trees are taught values cut at :data:`CUT` times the level. What lies above is added by two plain rules:
spikes of the last hours may come again (:func:`spike_values`), and where net load is known, energy is kept
for the hours that brought such prices before, the more the closer net load will come to its usual top
(:class:`RareIncome`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from grid.storage_value import Array, StorageSteps
from pipeline.trading.load_signals import LOAD_PEAK
from pipeline.trading.market_table import Indices, MarketTable
from pipeline.trading.signals import SPIKES

NODES: Final = 5
"""States of charge, from empty to full in equal steps, for which values are learnt."""
CUT: Final = 20.0
"""Multiple of the level from which on a price is rare."""
SPIKE_WEIGHT: Final = 0.1
SPIKE_WHEN_FULL: Final = 0.5
"""What a full battery adds for recent spikes, as a share of what an empty one does."""
RARE_WEIGHT: Final = 0.5
AHEAD_H: Final = 6
"""Hours over which rare prices ahead are averaged."""
LOAD_BANDS: Final = (0.8, 0.9)
"""Borders between days of low, high and very high load: the peak ahead as a share of the last weeks' top."""
NEAR_HOURS: Final = ((-2, 0.15), (-1, 0.4), (0, 1.0), (1, 0.4), (2, 0.15))
"""Weights of neighbouring hours of the day."""
PRIOR_H: Final = 84
"""Hours without a rare price that are added to each mean: a few events must not say too much."""
DAY_H: Final = 24


def spike_values(table: MarketTable, at: Indices) -> Array:
    """What stored energy is worth more if the last hours' spikes come again, (intervals, nodes)."""
    income = np.nan_to_num(table.signal(SPIKES, at) * table.level(at))
    return np.asarray(income[:, None] * SPIKE_WEIGHT * np.linspace(1.0, SPIKE_WHEN_FULL, NODES))


@dataclass(frozen=True)
class RareIncome:
    """What rare prices of the coming hours brought on average.

    Attributes:
        per_mwh: by local hour, load band and SoC node, in currency.
    """

    per_mwh: Array

    @classmethod
    def of(cls, table: MarketTable, until: int, steps: StorageSteps) -> "RareIncome | None":
        """Average over the intervals before ``until``; None where net load is not known.

        Args:
            table: the market.
            until: number of intervals that may be looked at.
            steps: the battery's: what lies deeper is sold later.
        """
        if LOAD_PEAK not in table.names:
            return None
        coming = _coming(table, until, steps)
        at = np.arange(len(coming))
        known = ~np.isnan(table.signal(LOAD_PEAK, at)) & ~np.isnan(table.level(at))
        hour, band = _cell(table, at[known])
        sums, counts = (
            np.zeros((DAY_H, len(LOAD_BANDS) + 1, NODES)),
            np.zeros((DAY_H, len(LOAD_BANDS) + 1, 1)),
        )
        np.add.at(sums, (hour, band), coming[known])
        np.add.at(counts, (hour, band), 1.0)
        mean = _near(sums) / (_near(counts) + PRIOR_H * table.per_hour)
        return cls(np.maximum.accumulate(mean, axis=1))

    def values(self, table: MarketTable, at: Indices) -> Array:
        """What they add to the value of stored energy, (intervals, nodes); nothing without net load."""
        known = ~np.isnan(table.signal(LOAD_PEAK, at))
        return np.where(known[:, None], RARE_WEIGHT * self.per_mwh[_cell(table, at)], 0.0)


def _cell(table: MarketTable, at: Indices) -> tuple[Indices, Indices]:
    """Local hour and load band."""
    load = np.nan_to_num(table.signal(LOAD_PEAK, at))
    return table.signal("hour", at).astype(np.intp), np.digitize(load, LOAD_BANDS)


def _near(cells: Array) -> Array:
    """With a share of the neighbouring hours of the day."""
    return np.asarray(sum(weight * np.roll(cells, shift, axis=0) for shift, weight in NEAR_HOURS))


def _coming(table: MarketTable, until: int, steps: StorageSteps) -> Array:
    """Mean of what prices have above the cut after each interval, (intervals, nodes).

    The hours begin when half of what lies above a node has been sold. Intervals whose hours are not over are
    left out.
    """
    price = table.price[:until]
    above = np.nan_to_num(np.maximum(price - CUT * table.level(np.arange(until)), 0.0))
    total = np.concatenate(([0.0], np.cumsum(above)))
    full_steps = steps.energy_kwh / steps.discharge_kwh
    begins = 1 + (np.linspace(0.0, full_steps, NODES) / 2).astype(np.intp)
    width = AHEAD_H * table.per_hour
    count = max(0, until - int(begins[-1]) - width)
    first = np.arange(count)[:, None] + begins
    return np.asarray((total[first + width] - total[first]) / width)
