"""What a rehearsed run comes to: ramps, ramp penalty, energy, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.accounts import ramp_steps
from grid.market import RAMP_PENALTY_USD_PER_KWH
from grid.units import SECONDS_PER_HOUR, cost_usd, energy_kwh
from policies.horizon import Array
from policies.limits import PlantLimits
from policies.scenario import Step
from policies.view import GridView


@dataclass(frozen=True)
class RunAccounts:
    """A run's figures; None where a price is missing that is needed.

    Attributes:
        changes_kw: 30-minute change of metered net load in each interval; NaN where unknown.
        penalty_usd: ramp penalty.
        cost_usd: the penalty less energy sold at its price, plus wear, fuel and starts; energy stored at the
            end counts at the settlement price against that at the start.
    """

    changes_kw: Array
    penalty_usd: float
    cost_usd: float | None

    @property
    def largest_change_kw(self) -> float | None:
        """The change of the largest size, signed; None where none is known."""
        known = self.changes_kw[~np.isnan(self.changes_kw)]
        return float(known[np.argmax(np.abs(known))]) if len(known) else None


def run_accounts(view: GridView, steps: Sequence[Step], limits: PlantLimits) -> RunAccounts:
    """The figures of a run that started at ``view``."""
    changes = _changes_kw(view, steps)
    excess = np.nan_to_num(np.maximum(0.0, np.abs(changes) - limits.ramp_limit_kw))
    penalty = float(excess.sum()) * view.interval_s / SECONDS_PER_HOUR * RAMP_PENALTY_USD_PER_KWH
    profit = _energy_profit_usd(view, steps, limits)
    return RunAccounts(changes, penalty, None if profit is None else penalty - profit)


def _changes_kw(view: GridView, steps: Sequence[Step]) -> Array:
    window = ramp_steps(view.interval_s)
    if window is None:
        return np.full(len(steps), np.nan)
    past = [np.nan if value is None else value for value in view.metered_kw]
    past = ([np.nan] * window + past)[-window:]
    line = np.array([*past, *[step.metered_kw for step in steps]])
    return np.asarray(line[window:] - line[:-window])


def _energy_profit_usd(view: GridView, steps: Sequence[Step], limits: PlantLimits) -> float | None:
    """None where energy flowed, or is stored more or less than before, and has no price."""
    sold = 0.0
    for step in steps:
        energy = energy_kwh(step.battery_kw + step.peaker_kw, view.interval_s)
        if energy and step.price_usd_per_mwh is None:
            return None
        sold += cost_usd(energy, step.price_usd_per_mwh or 0.0)
    end = steps[-1].state
    spent = _wear_fuel_starts_usd(view, steps, limits)
    more_kwh = end.battery.soc_kwh - view.soc_kwh
    if not more_kwh:
        return sold - spent
    if view.settlement_price_usd_per_mwh is None:
        return None
    eta = limits.battery.one_way_efficiency
    at_meter_kwh = more_kwh * eta if more_kwh > 0 else more_kwh / eta
    return sold - spent + cost_usd(at_meter_kwh, max(0.0, view.settlement_price_usd_per_mwh))


def _wear_fuel_starts_usd(view: GridView, steps: Sequence[Step], limits: PlantLimits) -> float:
    discharged = energy_kwh(sum(max(0.0, step.battery_kw) for step in steps), view.interval_s)
    generated = energy_kwh(sum(step.peaker_kw for step in steps), view.interval_s)
    starts = steps[-1].state.peaker_starts_today - view.peaker_starts_today
    return (
        cost_usd(discharged, limits.battery.wear_usd_per_mwh)
        + cost_usd(generated, limits.peaker.running_usd_per_mwh)
        + starts * limits.peaker.start_usd
    )
