"""A leak-free backtest of storage trading: learn before T, bid for every interval from T on.

Invariants:
    The bid of an interval rests on prices of earlier intervals, and on day-ahead prices published before
    it, alone. With ``lagged`` even its power does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from grid.assets import BatterySpec
from grid.storage_foresight import foresight_profit_usd
from grid.storage_value import Array, StorageSteps, TradeLevels
from grid.units import require_utc
from pipeline.errors import BacktestError
from pipeline.trading.learning import learn
from pipeline.trading.market_table import Indices, MarketTable
from pipeline.trading.value_model import Inputs, ValueModel
from policies.storage_bid import ValueLadder
from smartgrid.backtests.settlement import Settlement
from smartgrid.backtests.storage_references import threshold_levels, tuned_thresholds, yesterday_values
from smartgrid.backtests.storage_run import StorageRun, run_levels

OURS, THRESHOLDS, YESTERDAY = "learned value", "fixed thresholds", "yesterday's prices"
GROWTH: Final = 0.2
"""Values are learnt anew each time what is known has grown by this share."""


@dataclass(frozen=True)
class ArbitrageBacktest:
    """What each strategy earned from T on.

    Attributes:
        schedule: ours, as in ``schedule.csv``.
        runs: by strategy.
        foresight: the most that anybody could have earned, at least.
        below_burning: intervals whose price is so low that burning energy would pay; there ``foresight``
            is an upper bound, elsewhere exact.
        missing: intervals without a price.
        days: length of the test.
    """

    schedule: pd.DataFrame
    runs: dict[str, StorageRun]
    foresight: float
    below_burning: int
    missing: int
    days: float

    def capture(self, strategy: str) -> float:
        """Share of perfect foresight's profit; NaN where there is none to be made."""
        return self.runs[strategy].profit / self.foresight if self.foresight > 0 else float("nan")


def backtest_arbitrage(
    table: MarketTable,
    battery: BatterySpec,
    *,
    train_until: datetime,
    settlement: Settlement = Settlement.BID,
) -> ArbitrageBacktest:
    """Learn on what was known before T and trade from T on; learn again as the past grows.

    Args:
        table: the whole market.
        battery: power, energy, losses and wear; starts half full.
        train_until: T.
        settlement: how an interval is settled.

    Raises:
        BacktestError: if there are no intervals from T on.
        TrainingError: if there are too few before T.
    """
    start = pd.Timestamp(require_utc(train_until, "train_until"))
    until = int(table.index.searchsorted(start))
    if until >= len(table.index):
        raise BacktestError(f"train_until: no rows from {start.isoformat()} on; choose an earlier time")
    steps = StorageSteps.of(battery, table.interval_s)
    inputs = Inputs.of(table, steps)
    parts = [
        our_levels(inputs, learn(inputs, first, clears=settlement is Settlement.BID), span, settlement)
        for first, span in _spans(until, len(table.price))
    ]
    ours = TradeLevels(*(np.concatenate(one) for one in zip(*map(_both, parts), strict=True)))
    return judge(inputs, ours, until, settlement)


def _both(levels: TradeLevels) -> tuple[Array, Array]:
    return levels.charge_to, levels.discharge_to


def _spans(until: int, end: int) -> Iterator[tuple[int, Indices]]:
    """How many intervals are learnt from, and the intervals that are then traded."""
    while until < end:
        following = max(until + 1, round(until * (1.0 + GROWTH)))
        yield until, np.arange(until, min(following, end))
        until = following


def judge(inputs: Inputs, ours: TradeLevels, until: int, settlement: Settlement) -> ArbitrageBacktest:
    """Trade the intervals from ``until`` on by our levels, and by the references'."""
    table, steps = inputs.table, inputs.steps
    price, interval_s = table.price[until:], table.interval_s
    seen = table.price if settlement is Settlement.BID else table.last_price(np.arange(len(table.price)))
    pair = tuned_thresholds(table.price[:until], seen[:until], steps)
    planned = TradeLevels.of(yesterday_values(table.price, steps, table.per_hour, until), seen[until:], steps)
    levels = {
        OURS: ours,
        THRESHOLDS: threshold_levels(seen[until:], *pair, steps),
        YESTERDAY: planned,
    }
    runs = {name: run_levels(price, found, steps, interval_s) for name, found in levels.items()}
    burning = -steps.wear_usd_per_mwh * steps.one_way**2 / max(1e-9, 1.0 - steps.one_way**2)
    return ArbitrageBacktest(
        schedule=runs[OURS].schedule(table.index[until:], price),
        runs=runs,
        foresight=foresight_profit_usd(price, steps, steps.energy_kwh / 2),
        below_burning=int(np.sum(price < burning)),
        missing=int(np.isnan(price).sum()),
        days=len(price) * interval_s / 86_400,
    )


def our_levels(inputs: Inputs, model: ValueModel, at: Indices, settlement: Settlement) -> TradeLevels:
    """Where the learnt values move the stored energy in the intervals ``at``."""
    if settlement is Settlement.BID:
        price: Array = inputs.table.price[at]
        ladder = ValueLadder(*model.ladder(inputs, at)).tamed()
        return TradeLevels.of(ladder.at(price), price, inputs.steps)
    price = model.expected_price(inputs, at)
    return TradeLevels.of(model.values(inputs, at, price), price, inputs.steps)
