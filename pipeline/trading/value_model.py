"""The learnt marginal value of stored energy: trees over signals, one output per SoC node."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import xgboost

from grid.storage_value import Array, StorageSteps
from pipeline.trading.hourly import Hourly
from pipeline.trading.market_table import Indices, MarketTable
from pipeline.trading.rare_prices import NODES, RareIncome, spike_values
from pipeline.trading.reference_plan import HALVES, stochastic_values

PLAN_NODES: Final = 17
RUNGS: Final = (-4.0, -1.0, 0.0, 1.0, 15.0)
"""Prices for which a value is asked, as multiples of the level above the last price."""


@dataclass(frozen=True)
class Inputs:
    """A market's table with the plan along its reference path, for one battery.

    Attributes:
        table: the market.
        steps: the battery's, of an interval.
        plan: marginal values by the plan at every other node, relative to the level, per hour.
    """

    table: MarketTable
    steps: StorageSteps
    plan: npt.NDArray[np.float32]

    @classmethod
    def of(cls, table: MarketTable, steps: StorageSteps) -> "Inputs":
        """Make the plan of every hour."""
        return cls(table, steps, _plan(table.known, steps, table.per_hour))

    def rows(self, at: Indices, price: Array) -> npt.NDArray[np.float32]:
        """What the trees see if the intervals ``at`` clear at ``price``."""
        plan = self.plan[at // self.table.per_hour]
        return np.hstack((self.table.signals[at], self.table.price_inputs(at, price), plan))


def _plan(known: Hourly, steps: StorageSteps, per_hour: int) -> npt.NDArray[np.float32]:
    nodes_kwh = np.linspace(0.0, steps.energy_kwh, PLAN_NODES)
    share = per_hour / HALVES
    half_hour = StorageSteps(
        steps.energy_kwh,
        steps.one_way,
        steps.wear_usd_per_mwh,
        steps.charge_kwh * share,
        steps.discharge_kwh * share,
    )
    values = stochastic_values(known, half_hour, nodes_kwh)[:, :: (PLAN_NODES - 1) // 4]
    return (values / known.level[:, None]).astype(np.float32)


@dataclass(frozen=True)
class ValueModel:
    """Marginal values of stored energy after an interval.

    Attributes:
        members: boosters and their weights at each node; the sum of what they say is the value.
        price: forecast of the interval's own price, for powers that are fixed before it; None where bids
            clear at it.
        rare: what is added for rare prices; None where net load is not known.
    """

    members: tuple[tuple[xgboost.Booster, Array], ...]
    price: xgboost.Booster | None
    rare: RareIncome | None = None

    def values(self, inputs: Inputs, at: Indices, price: Array) -> Array:
        """Values at the SoC nodes if the intervals ``at`` clear at ``price``, falling with SoC."""
        rows = inputs.rows(at, price)
        taught = np.zeros((len(at), NODES))
        for booster, weight in self.members:
            taught += weight * falling(booster.inplace_predict(rows))
        total = taught * inputs.table.level(at)[:, None] + spike_values(inputs.table, at)
        if self.rare is not None:
            total += self.rare.values(inputs.table, at)
        return np.asarray(np.minimum.accumulate(total, axis=1))

    def ladder(self, inputs: Inputs, at: Indices) -> tuple[Array, Array]:
        """Prices (intervals, rungs) and the values there (intervals, rungs, nodes)."""
        last, level = inputs.table.last_price(at), inputs.table.level(at)
        prices = last[:, None] + np.array(RUNGS) * level[:, None]
        values = self.values(inputs, np.repeat(at, len(RUNGS)), prices.ravel())
        return prices, values.reshape(len(at), len(RUNGS), NODES)

    def expected_price(self, inputs: Inputs, at: Indices) -> Array:
        """Mean of what the price of the intervals will be."""
        if self.price is None:
            return inputs.table.last_price(at)
        return predicted_price(self.price, inputs.table, at)


def falling(values: npt.NDArray[np.float32]) -> Array:
    """Marginal values in the order that physics gives them: never rising with SoC."""
    return -np.sort(-values.astype(np.float64), axis=1)


def predicted_price(booster: xgboost.Booster, table: MarketTable, at: Indices) -> Array:
    """Expected price of the intervals from what was known before them."""
    return np.asarray(booster.inplace_predict(table.signals[at]).astype(np.float64) * table.level(at))
