"""Learn the value of stored energy from prices of the past.

1. Four models, each on three quarters of the past, learn the marginal values that perfect foresight finds
   (:mod:`grid.storage_foresight`); each values the quarter that it has not seen. Their scale is set by the
   profit that trading on them makes there.
2. What one more MWh really earned when trading so (:mod:`pipeline.trading.policy_values`) is what two final
   models learn, each on its own draw of all of the past. Half of the weight stays with the first
   four.
3. What prices that are too rare for trees are worth is added by rule (:mod:`pipeline.trading.rare_prices`).
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
from pipeline.trading.rare_prices import NODES, RareIncome, spike_values
from pipeline.trading.value_model import Inputs, ValueModel, falling, predicted_price

FIRST_ROWS: Final = 40_000
FINAL_ROWS: Final = 50_000
"""Most that a model learns from: each draws its own rows of all."""
FOLDS: Final = 4
FINALS: Final = 2
FEWEST_ROWS: Final = 2_000
LOWEST, HIGHEST = -5.0, 30.0
"""Targets are cut to this, as multiples of the level."""
RARE: Final = 10.0
"""What targets have above this multiple of the level counts half: a few spikes must not rule the trees."""
SCALES: Final = ((0.95, 0.95), (1.0, 1.0), (1.05, 1.05), (0.95, 1.1), (1.0, 1.1), (1.05, 1.15))
"""Factors on the first models' values when empty and when full."""
FIRST_WEIGHT: Final = 0.5
EDGE: Final = 0.002
"""Empty and full are looked at this share of the capacity inside."""
_SEED: Final = 7


@dataclass(frozen=True)
class _Fit:
    trees: int
    rate: float
    depth: int = 7


_FIRST, _FINAL, _PRICE = _Fit(100, 0.1), _Fit(160, 0.075), _Fit(150, 0.06)


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
    fold = past * FOLDS // until
    seen, price_model = (table.price[:until], None) if clears else _seen_prices(table, usable, fold)
    first, boosters = _first_values(inputs, usable, fold, seen)
    scales = _best_scales(inputs, past, seen, first)
    expected = scales * first + spike_values(table, past)
    levels = TradeLevels.of(expected, seen, inputs.steps)
    earned = policy_values(table.price[:until], levels, expected, inputs.steps, table.per_hour)
    finals = [
        _fit(inputs.rows(rows, seen[rows]), _relative(earned, table, rows), _FINAL, _SEED + part)
        for part, rows in enumerate(_drawn(usable, FINAL_ROWS, part) for part in range(FINALS))
    ]
    members: list[tuple[xgboost.Booster, Array]] = [
        *((one, np.full(NODES, (1.0 - FIRST_WEIGHT) / FINALS)) for one in finals),
        *((one, FIRST_WEIGHT * scales / FOLDS) for one in boosters),
    ]
    return ValueModel(tuple(members), price_model, RareIncome.of(table, until, inputs.steps))


def _drawn(usable: Indices, most: int, part: int) -> Indices:
    return np.sort(np.random.default_rng(_SEED + part).permutation(usable)[:most])


def _seen_prices(table: MarketTable, usable: Indices, fold: Indices) -> tuple[Array, xgboost.Booster]:
    """What was expected of each price by a model that did not learn from it, and the model of all."""
    seen = np.empty(len(fold))
    for part in range(FOLDS):
        at = np.flatnonzero(fold == part)
        seen[at] = predicted_price(_price_model(table, usable[fold[usable] != part]), table, at)
    return seen, _price_model(table, usable)


def _price_model(table: MarketTable, usable: Indices) -> xgboost.Booster:
    rows = _drawn(usable, FINAL_ROWS, 0)
    relative = np.clip(table.price[rows] / table.level(rows), LOWEST, HIGHEST)
    return _fit(table.signals[rows], relative, _PRICE)


def _first_values(
    inputs: Inputs, usable: Indices, fold: Indices, seen: Array
) -> tuple[Array, list[xgboost.Booster]]:
    """Values of each part of the past by the model of the others, and these models."""
    table = inputs.table
    hindsight = _hindsight(table.price[: len(fold)], inputs.steps)
    values, boosters = np.empty((len(fold), NODES)), []
    for part in range(FOLDS):
        rows, at = _drawn(usable[fold[usable] != part], FIRST_ROWS, part), np.flatnonzero(fold == part)
        booster = _fit(inputs.rows(rows, seen[rows]), _relative(hindsight, table, rows), _FIRST)
        values[at] = falling(booster.inplace_predict(inputs.rows(at, seen[at]))) * table.level(at)[:, None]
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


def _best_scales(inputs: Inputs, past: Indices, seen: Array, values: Array) -> Array:
    """The factor on the values of each node that would have earned most."""
    price, steps = inputs.table.price[past], inputs.steps
    spikes = spike_values(inputs.table, past)

    def earned(factors: Array) -> float:
        return _profit(price, TradeLevels.of(factors * values + spikes, seen, steps), steps)

    return max((np.linspace(empty, full, NODES) for empty, full in SCALES), key=earned)


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
    relative = np.clip(values[at] / table.level(at)[:, None], LOWEST, HIGHEST)
    return np.asarray(np.minimum(relative, (relative + RARE) / 2))


def _fit(rows: npt.NDArray[np.float32], targets: Array, fit: _Fit, seed: int = _SEED) -> xgboost.Booster:
    settings = {
        "max_depth": fit.depth,
        "eta": fit.rate,
        "subsample": 0.5,
        "colsample_bytree": 0.5,
        "min_child_weight": 30,
        "tree_method": "hist",
        "max_bin": 64,
        "nthread": 1,
        "seed": seed,
        "multi_strategy": "multi_output_tree" if targets.ndim > 1 else "one_output_per_tree",
    }
    return xgboost.train(settings, xgboost.DMatrix(rows, targets), fit.trees)
