"""Learn the value of stored energy from prices of the past.

1. Two models, each on one half of the past, learn the marginal values that perfect foresight finds
   (:mod:`grid.storage_foresight`); each values the half that it has not seen. Their scale is set by the
   profit that trading on them makes there.
2. What one more MWh really earned when trading so (:mod:`pipeline.trading.policy_values`) is what the final
   model learns on all of the past. A quarter of its weight stays with the first two.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import xgboost

from grid.storage_foresight import foresight_slopes, values_at
from grid.storage_value import Array, StorageSteps, TradeLevels
from pipeline.errors import TrainingError
from pipeline.trading.market_table import Indices, MarketTable
from pipeline.trading.policy_values import policy_values
from pipeline.trading.value_model import NODES, Inputs, ValueModel, falling, predicted_price

ROWS: Final = 140_000
FEWEST_ROWS: Final = 2_000
LOWEST, HIGHEST = -5.0, 30.0
"""Targets are cut to this, as multiples of the level."""
SCALES: Final = (1.0, 1.05, 1.1)
FIRST_WEIGHT: Final = 0.25
EDGE: Final = 0.002
"""Empty and full are looked at this share of the capacity inside."""
_SEED: Final = 7


@dataclass(frozen=True)
class _Fit:
    trees: int
    rate: float
    depth: int = 7


_FIRST, _FINAL, _PRICE = _Fit(120, 0.1), _Fit(200, 0.06), _Fit(150, 0.06)


def learn(inputs: Inputs, until: int, *, clears: bool) -> ValueModel:
    """A value model from the intervals before ``until``.

    Args:
        inputs: of the market and the battery.
        until: number of intervals that may be learnt from.
        clears: whether bids clear at the interval's own price; else power is fixed before it.

    Raises:
        TrainingError: if too few intervals have a price.
    """
    table = inputs.table
    past = np.arange(until)
    usable = past[~np.isnan(table.price[:until]) & ~np.isnan(table.level(past))]
    if len(usable) < FEWEST_ROWS:
        raise TrainingError(
            f"price: {len(usable)} usable intervals before train_until, at least {FEWEST_ROWS} are needed;"
            " give a longer file or a later time"
        )
    chosen = np.sort(np.random.default_rng(_SEED).permutation(usable)[:ROWS])
    halves = past < until // 2
    seen, price_model = (table.price[:until], None) if clears else _seen_prices(table, chosen, halves)
    first, boosters = _first_values(inputs, chosen, halves, seen)
    scale = _best_scale(table.price[:until], seen, first, inputs.steps)
    levels = TradeLevels.of(scale * first, seen, inputs.steps)
    earned = policy_values(table.price[:until], levels, scale * first, inputs.steps, table.per_hour)
    final = _fit(inputs.rows(chosen, seen[chosen]), _relative(earned, table, chosen), _FINAL)
    members = [(final, 1.0 - FIRST_WEIGHT), *((one, FIRST_WEIGHT * scale / 2) for one in boosters)]
    return ValueModel(tuple(members), price_model)


def _seen_prices(
    table: MarketTable, chosen: Indices, early: npt.NDArray[np.bool_]
) -> tuple[Array, xgboost.Booster]:
    """What was expected of each price by a model that did not learn from it, and the model of all."""
    relative = np.clip(table.price[chosen] / table.level(chosen), LOWEST, HIGHEST)
    seen = np.empty(len(early))
    for half in (early, ~early):
        other = ~half[chosen]
        booster = _fit(table.signals[chosen[other]], relative[other], _PRICE)
        seen[half] = predicted_price(booster, table, np.flatnonzero(half))
    return seen, _fit(table.signals[chosen], relative, _PRICE)


def _first_values(
    inputs: Inputs, chosen: Indices, early: npt.NDArray[np.bool_], seen: Array
) -> tuple[Array, list[xgboost.Booster]]:
    """Values of each half by the model of the other half, and both models."""
    table = inputs.table
    hindsight = _hindsight(table.price[: len(early)], inputs.steps)
    values, boosters = np.empty((len(early), NODES)), []
    for half in (early, ~early):
        rows, at = chosen[~half[chosen]], np.flatnonzero(half)
        booster = _fit(inputs.rows(rows, seen[rows]), _relative(hindsight, table, rows), _FIRST)
        values[half] = falling(booster.inplace_predict(inputs.rows(at, seen[at]))) * table.level(at)[:, None]
        boosters.append(booster)
    return values, boosters


def _hindsight(price: Array, steps: StorageSteps) -> Array:
    """Marginal values after each interval when all prices are known."""
    nodes = np.linspace(0.0, 1.0, NODES)
    nodes[[0, -1]] = EDGE, 1.0 - EDGE
    found = np.zeros((len(price) + 1, NODES))
    for at, slopes, widths in foresight_slopes(price, steps):
        found[at] = values_at(slopes, widths, nodes * steps.energy_kwh)
    return found[1:]


def _best_scale(price: Array, seen: Array, values: Array, steps: StorageSteps) -> float:
    """The factor on all values that would have earned most."""
    profits = [_profit(price, TradeLevels.of(scale * values, seen, steps), steps) for scale in SCALES]
    return SCALES[int(np.argmax(profits))]


def _profit(price: Array, levels: TradeLevels, steps: StorageSteps) -> float:
    """What a battery that starts half full earns, in thousandths of the currency."""
    soc, profit = steps.energy_kwh / 2, 0.0
    for cost, low, high in zip(
        price.tolist(), levels.charge_to.tolist(), levels.discharge_to.tolist(), strict=True
    ):
        if math.isnan(cost):
            continue
        if soc < low:
            after = min(soc + steps.charge_kwh, low)
            profit -= cost / steps.one_way * (after - soc)
        elif soc > high:
            after = max(soc - steps.discharge_kwh, high)
            profit += (cost - steps.wear_usd_per_mwh) * steps.one_way * (soc - after)
        else:
            continue
        soc = after
    return profit


def _relative(values: Array, table: MarketTable, at: Indices) -> Array:
    return np.clip(values[at] / table.level(at)[:, None], LOWEST, HIGHEST)


def _fit(rows: npt.NDArray[np.float32], targets: Array, fit: _Fit) -> xgboost.Booster:
    settings = {
        "max_depth": fit.depth,
        "eta": fit.rate,
        "subsample": 0.5,
        "colsample_bytree": 0.5,
        "min_child_weight": 30,
        "tree_method": "hist",
        "max_bin": 64,
        "nthread": 1,
        "seed": _SEED,
        "multi_strategy": "multi_output_tree" if targets.ndim > 1 else "one_output_per_tree",
    }
    return xgboost.train(settings, xgboost.DMatrix(rows, targets), fit.trees)
