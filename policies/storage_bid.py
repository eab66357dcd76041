"""A storage bid: at which price to charge, at which to discharge, and how much.

What decides is the marginal value of stored energy after the interval (:mod:`grid.storage_value`), which
falls with the energy stored and may itself depend on the price that clears.

Invariants:
    Power never falls as the price rises: what is bid is one curve, fixed before the price is known.
    Prices and values are currency per MWh, energies kWh, powers kW at the meter, positive discharges.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from grid.storage_value import Array, StorageSteps, TradeLevels
from grid.units import SECONDS_PER_HOUR

STEEPEST: Final = 0.8
"""Most that the value of stored energy rises per unit of price, below √η, so that the curve is monotone."""


@dataclass(frozen=True)
class ValueLadder:
    """The marginal value of stored energy for some prices at which the interval could clear.

    Attributes:
        prices: rungs, (situations, rungs), ascending along a row.
        values: at each rung and SoC node, (situations, rungs, nodes).
    """

    prices: Array
    values: Array

    def tamed(self) -> "ValueLadder":
        """Falling with SoC, rising with price by at most :data:`STEEPEST`; the middle rung stays."""
        values = np.minimum.accumulate(self.values, axis=2)
        middle = self.prices.shape[1] // 2
        rise = np.diff(self.prices, axis=1)[:, :, None]
        change = np.clip(np.diff(values, axis=1), -rise, STEEPEST * rise)
        upward = np.cumsum(change[:, middle:], axis=1)
        downward = np.cumsum(change[:, :middle][:, ::-1], axis=1)[:, ::-1]
        anchor = values[:, middle : middle + 1]
        return ValueLadder(self.prices, np.concatenate((anchor - downward, anchor, anchor + upward), axis=1))

    def at(self, price: Array) -> Array:
        """Values where each situation clears at its ``price``, (situations, nodes); linear between rungs."""
        rungs = self.prices.shape[1]
        low = np.clip(np.sum(self.prices <= price[:, None], axis=1) - 1, 0, rungs - 2)
        row = np.arange(len(price))
        width = self.prices[row, low + 1] - self.prices[row, low]
        weight = np.clip((price - self.prices[row, low]) / width, 0.0, 1.0)[:, None]
        between = self.values[row, low] * (1 - weight) + self.values[row, low + 1] * weight
        return np.asarray(np.minimum.accumulate(between, axis=1))


@dataclass(frozen=True)
class TradeRoom:
    """What trading may move in an interval, beyond what power and capacity allow.

    Attributes:
        floor_kwh, ceiling_kwh: stored energy that trading leaves to grid response, above empty and in all.
        charge_kwh, discharge_kwh: most that trading may put into or take out of the cells.
    """

    floor_kwh: float
    ceiling_kwh: float
    charge_kwh: float
    discharge_kwh: float

    @classmethod
    def of(
        cls,
        steps: StorageSteps,
        *,
        reserve_kwh: float = 0.0,
        reserve_share: float = 0.0,
        cycles_left: float = np.inf,
    ) -> "TradeRoom":
        """The room that a reserve and the day's cycles leave.

        Args:
            steps: the battery's.
            reserve_kwh: energy kept for discharging, and as much room kept for charging.
            reserve_share: part of the rated power kept, 0 to 1.
            cycles_left: equivalent full cycles that may still be discharged today.
        """
        kept = min(max(reserve_kwh, 0.0), steps.energy_kwh / 2)
        share = 1.0 - min(max(reserve_share, 0.0), 1.0)
        return cls(
            kept,
            steps.energy_kwh - kept,
            share * steps.charge_kwh,
            min(share * steps.discharge_kwh, max(0.0, cycles_left) * steps.energy_kwh),
        )

    def after(self, soc_kwh: float, charge_to: float, discharge_to: float) -> float:
        """Stored energy after the interval, moving towards a level as far as there is room."""
        if soc_kwh < charge_to:
            return max(soc_kwh, min(charge_to, self.ceiling_kwh, soc_kwh + self.charge_kwh))
        if soc_kwh > discharge_to:
            return min(soc_kwh, max(discharge_to, self.floor_kwh, soc_kwh - self.discharge_kwh))
        return soc_kwh


def meter_power_kw(before_kwh: float, after_kwh: float, steps: StorageSteps, interval_s: float) -> float:
    """Mean power at the meter that moves the stored energy so; positive discharges."""
    taken_kwh = before_kwh - after_kwh
    meter_kwh = taken_kwh * steps.one_way if taken_kwh > 0 else taken_kwh / steps.one_way
    return meter_kwh * SECONDS_PER_HOUR / interval_s


@dataclass(frozen=True)
class StorageBid:
    """The bid of one interval, fixed before its price.

    Attributes:
        ladder: values for some prices, one situation, tamed.
        steps: the battery's.
        room: what trading may move.
        soc_kwh: stored before the interval.
        interval_s: its length.
    """

    ladder: ValueLadder
    steps: StorageSteps
    room: TradeRoom
    soc_kwh: float
    interval_s: float

    def power_kw(self, price: float) -> float:
        """What clears at ``price``; positive discharges."""
        at = np.array([price])
        levels = TradeLevels.of(self.ladder.at(at), at, self.steps)
        after = self.room.after(self.soc_kwh, float(levels.charge_to[0]), float(levels.discharge_to[0]))
        return meter_power_kw(self.soc_kwh, after, self.steps, self.interval_s)

    def curve(self, prices: Array) -> Array:
        """Power at each of several prices."""
        return np.array([self.power_kw(float(price)) for price in prices])

    def value_usd_per_mwh(self) -> float:
        """Marginal value of what is stored, at the ladder's middle price."""
        middle = self.ladder.prices.shape[1] // 2
        nodes = np.linspace(0.0, self.steps.energy_kwh, self.ladder.values.shape[2])
        return float(np.interp(self.soc_kwh, nodes, self.ladder.values[0, middle]))
