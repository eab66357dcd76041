"""The marginal value of stored energy: what an interval's price does to it, and what it does to the battery.

With v(s) the value of one more MWh when s is stored (it falls with s): a MWh is bought while
price/√η < v, sold while (price − wear)·√η > v. So each price has two levels of stored energy: below the
lower one the battery charges towards it, above the upper one it discharges towards it, between them it
stands still.

Prices and values are currency per MWh, energies kWh. Arrays hold many situations at once, one a row.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grid.assets.battery import BatterySpec
from grid.units import SECONDS_PER_HOUR

Array = npt.NDArray[np.float64]
BEYOND = 1e9
"""Value of energy below empty; minus it, above full: neither is ever chosen."""


@dataclass(frozen=True)
class StorageSteps:
    """What a battery can do in one interval.

    Attributes:
        energy_kwh: capacity.
        one_way: efficiency of charging, and of discharging.
        wear_usd_per_mwh: per MWh discharged at the meter.
        charge_kwh: most that is put into the cells in an interval.
        discharge_kwh: most that is taken out of the cells in an interval.
    """

    energy_kwh: float
    one_way: float
    wear_usd_per_mwh: float
    charge_kwh: float
    discharge_kwh: float

    @classmethod
    def of(cls, battery: BatterySpec, interval_s: float) -> "StorageSteps":
        """Steps of ``battery`` over ``interval_s`` at its full power."""
        meter_kwh = battery.power_kw * interval_s / SECONDS_PER_HOUR
        eta = battery.one_way_efficiency
        usable_kwh = (battery.soc_max - battery.soc_min) * battery.energy_kwh
        return cls(usable_kwh, eta, battery.wear_usd_per_mwh, meter_kwh * eta, meter_kwh / eta)

    def buying(self, price: Array) -> Array:
        """What a stored MWh costs at ``price``."""
        return price / self.one_way

    def selling(self, price: Array) -> Array:
        """What a stored MWh earns at ``price``, wear taken off."""
        return (price - self.wear_usd_per_mwh) * self.one_way


@dataclass(frozen=True)
class Shift:
    """Where a full charge or discharge leads from each node of a SoC grid, by linear interpolation.

    Attributes:
        low: node below.
        weight: of the node above it.
        outside: nodes from which the step would leave the battery.
        beyond: value there.
    """

    low: npt.NDArray[np.intp]
    weight: Array
    outside: npt.NDArray[np.bool_]
    beyond: float

    @classmethod
    def of(cls, nodes_kwh: Array, step_kwh: float) -> "Shift":
        """``step_kwh`` > 0 charges. ``nodes_kwh`` ascend from empty to full in equal steps."""
        width = nodes_kwh[1] - nodes_kwh[0]
        position = (nodes_kwh + step_kwh) / width
        outside = (position < -1e-9) | (position > len(nodes_kwh) - 1 + 1e-9)
        low = np.clip(position.astype(np.intp), 0, len(nodes_kwh) - 2)
        return cls(low, np.clip(position - low, 0.0, 1.0), outside, -BEYOND if step_kwh > 0 else BEYOND)

    def apply(self, values: Array) -> Array:
        """``values`` (…, nodes) as seen after the step."""
        below = values[..., self.low]
        moved = below + (values[..., self.low + 1] - below) * self.weight
        moved[..., self.outside] = self.beyond
        return np.asarray(moved)


def interval_values(values: Array, buying: Array, selling: Array, charge: Shift, discharge: Shift) -> Array:
    """Marginal values before an interval from those after it.

    Args:
        values: after the interval, (…, nodes), falling with SoC.
        buying, selling: what a stored MWh costs or earns in it, (…, 1).
        charge, discharge: full steps.
    """
    bought = np.maximum(charge.apply(values), np.minimum(values, buying))
    return np.minimum(discharge.apply(values), np.maximum(bought, selling))


@dataclass(frozen=True)
class TradeLevels:
    """Where a price moves the stored energy, kWh: up to ``charge_to`` or down to ``discharge_to``."""

    charge_to: Array
    discharge_to: Array

    @classmethod
    def of(cls, values: Array, price: Array, steps: StorageSteps) -> "TradeLevels":
        """The levels of each situation; where its price or a value is missing, it stands still.

        Args:
            values: after the interval, (situations, nodes), falling along equal steps of SoC.
            price: of each situation.
            steps: the battery's.
        """
        low = _reached(values, steps.buying(price), steps.energy_kwh)
        high = np.maximum(low, _reached(values, steps.selling(price), steps.energy_kwh))
        unknown = np.isnan(price) | np.isnan(values).any(axis=1)
        return cls(np.where(unknown, 0.0, low), np.where(unknown, steps.energy_kwh, high))

    def after(self, soc_kwh: Array, steps: StorageSteps) -> Array:
        """Stored energy after the interval, from ``soc_kwh`` before it, within a step of it."""
        charged = np.minimum(soc_kwh + steps.charge_kwh, self.charge_to)
        discharged = np.maximum(soc_kwh - steps.discharge_kwh, self.discharge_to)
        return np.where(
            soc_kwh < self.charge_to, charged, np.where(soc_kwh > self.discharge_to, discharged, soc_kwh)
        )


def _reached(values: Array, wanted: Array, energy_kwh: float) -> Array:
    """The largest stored energy whose value is at least ``wanted``; 0 where none is."""
    last = values.shape[1] - 1
    count = np.sum(values >= wanted[:, None], axis=1)
    low = np.clip(count - 1, 0, last - 1)
    row = np.arange(len(wanted))
    above, below = values[row, low], values[row, low + 1]
    part = np.clip((above - wanted) / np.maximum(above - below, 1e-9), 0.0, 1.0)
    reached = (low + part) / last
    return np.asarray(np.where(count == 0, 0.0, np.where(count > last, 1.0, reached)) * energy_kwh)
