"""The best that anybody could have done with a day: a MILP solved by HiGHS, its dual bound proven.

Over the day's intervals of Δ hours, with c and d the charging and discharging power, s the stored
energy, g the peaker's power, z charge-or-discharge, u and v the peaker's on and start, e the ramp
beyond the limit, and m what is missing at the end::

    min  Σ e·Δ·penalty − Σ price·(d − c + g)·Δ + wear·d·Δ + fuel·g·Δ + start·v + price̅·m/η
    s(t) = s(t−1) + η·c(t)·Δ − d(t)·Δ/η    c ≤ P(1−z)    d ≤ P·z    Σ d·Δ/η ≤ cycles · capacity
    g_min·u ≤ g ≤ g_max·u    v(t) ≥ u(t) − u(t−1)    u(t) ≥ Σ v over the last minimum up time
    e(t) ≥ ±(change of native − change of (d − c + g)) − ramp limit    m ≥ s(start) − s(end)

Minimum down time and starts a day are left out, which can only lower the bound.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack

from grid.accounts import Array, DayInput, RunAccounts, ramp_steps, settle_run
from grid.assets import BatterySpec, PeakerSpec
from grid.errors import AccountsError
from grid.market import RAMP_PENALTY_USD_PER_KWH
from grid.units import KW_PER_MW

_BLOCKS = ("charge", "discharge", "stored", "discharging", "gas", "on", "start")


@dataclass(frozen=True)
class PerfectForesight:
    """The best schedule found for a day, and what is proven about it.

    Attributes:
        bound_usd: no feasible schedule costs less; this counts as its cost.
        accounts: of the schedule.
        battery_kw, peaker_kw: the schedule, per interval.
    """

    bound_usd: float
    accounts: RunAccounts
    battery_kw: Array
    peaker_kw: Array

    @property
    def gap_usd(self) -> float:
        """How far the schedule's cost lies above the bound."""
        return self.accounts.cost_usd - self.bound_usd


def perfect_foresight(
    day: DayInput,
    battery: BatterySpec,
    peaker: PeakerSpec,
    *,
    time_limit_s: float = 10.0,
    relative_gap: float = 1e-3,
) -> PerfectForesight:
    """The least cost that the assets could have reached on a day that is known whole.

    Args:
        day: the day.
        battery: physical limits; starts at its initial SoC, daily cycles count.
        peaker: physical limits; off before and after the day.
        time_limit_s: HiGHS stops then; the bound holds all the same.
        relative_gap: HiGHS stops when schedule and bound are this close.

    Raises:
        AccountsError: if HiGHS finds no schedule in the time; give more.
    """
    model = _Model(day, battery, peaker)
    solved = milp(
        model.costs,
        constraints=model.constraints,
        bounds=model.bounds,
        integrality=model.integrality,
        options={"time_limit": time_limit_s, "mip_rel_gap": relative_gap},
    )
    if solved.x is None or solved.mip_dual_bound is None:
        raise AccountsError(f"perfect foresight: {solved.message}; give more than {time_limit_s:g} s")
    # Rounding of a solver leaves crumbs that the accounts would read as starts or wrong signs.
    battery_kw = model.part(solved.x, "discharge") - model.part(solved.x, "charge")
    peaker_kw = np.where(model.part(solved.x, "on") > 0.5, model.part(solved.x, "gas"), 0.0)
    accounts = settle_run(day, battery_kw, peaker_kw, battery, peaker)
    return PerfectForesight(float(solved.mip_dual_bound), accounts, battery_kw, peaker_kw)


class _Model:
    """The matrices: blocks of one column per interval, then the missing energy, then the excess ramps."""

    def __init__(self, day: DayInput, battery: BatterySpec, peaker: PeakerSpec) -> None:
        self.day, self.battery, self.peaker = day, battery, peaker
        self.n = len(day.native_kw)
        changes = day.native_changes_kw()
        self.penalised = np.flatnonzero(~np.isnan(changes))
        self.changes_kw = changes[self.penalised]
        self.size = len(_BLOCKS) * self.n + 1 + len(self.penalised)
        self.costs = self._costs()
        self.bounds = self._bounds()
        whole = np.zeros(self.size)
        for name in ("discharging", "on"):
            self.part(whole, name)[:] = 1.0
        self.integrality = whole.astype(np.int64)
        self.constraints = [self._storage(), self._cycles(), self._missing(), *self._modes(), *self._ramps()]

    def part(self, vector: Array, name: str) -> Array:
        """The view of one block."""
        at = _BLOCKS.index(name) * self.n
        return vector[at : at + self.n]

    def _costs(self) -> Array:
        usd_per_kw = np.nan_to_num(self.day.price_usd_per_mwh) * self.day.hours / KW_PER_MW
        per_kw = self.day.hours / KW_PER_MW
        costs = np.zeros(self.size)
        self.part(costs, "charge")[:] = usd_per_kw
        self.part(costs, "discharge")[:] = self.battery.wear_usd_per_mwh * per_kw - usd_per_kw
        self.part(costs, "gas")[:] = self.peaker.running_usd_per_mwh * per_kw - usd_per_kw
        self.part(costs, "start")[:] = self.peaker.start_usd
        settlement_usd_per_mwh = max(0.0, self.day.mean_price_usd_per_mwh) / self.battery.one_way_efficiency
        costs[len(_BLOCKS) * self.n] = settlement_usd_per_mwh / KW_PER_MW
        costs[len(_BLOCKS) * self.n + 1 :] = RAMP_PENALTY_USD_PER_KWH * self.day.hours
        return costs

    def _bounds(self) -> Bounds:
        low, high = np.zeros(self.size), np.full(self.size, np.inf)
        for name in ("charge", "discharge"):
            self.part(high, name)[:] = self.battery.power_kw
        self.part(low, "stored")[:] = self.battery.soc_min * self.battery.energy_kwh
        self.part(high, "stored")[:] = self.battery.soc_max * self.battery.energy_kwh
        self.part(high, "gas")[:] = self.peaker.power_kw
        for name in ("discharging", "on", "start"):
            self.part(high, name)[:] = 1.0
        return Bounds(low, high)

    def _rows(self, blocks: dict[str, csr_array], rows: int) -> csr_array:
        """Rows over all columns, zero where no block is given."""
        parts = [blocks.get(name, csr_array((rows, self.n))) for name in _BLOCKS]
        rest = (("missing", 1), ("excess", len(self.penalised)))
        parts += [blocks.get(name, csr_array((rows, width))) for name, width in rest]
        return csr_array(hstack(parts))

    def _storage(self) -> LinearConstraint:
        eta, n = self.battery.one_way_efficiency, self.n
        one = _shifted(n, n, 0)
        step = _shifted(n, n, 0) - _shifted(n, n, 1)
        blocks = {
            "stored": step,
            "charge": -eta * self.day.hours * one,
            "discharge": self.day.hours / eta * one,
        }
        start = np.zeros(n)
        start[0] = self.battery.initial_soc * self.battery.energy_kwh
        return LinearConstraint(self._rows(blocks, n), start, start)

    def _cycles(self) -> LinearConstraint:
        per_kw = self.day.hours / self.battery.one_way_efficiency
        row = self._rows({"discharge": csr_array(np.full((1, self.n), per_kw, dtype=np.float64))}, 1)
        return LinearConstraint(row, -np.inf, self.battery.max_cycles_per_day * self.battery.energy_kwh)

    def _missing(self) -> LinearConstraint:
        last = _shifted(1, self.n, 1 - self.n)
        row = self._rows({"stored": last, "missing": _shifted(1, 1, 0)}, 1)
        return LinearConstraint(row, self.battery.initial_soc * self.battery.energy_kwh, np.inf)

    def _modes(self) -> list[LinearConstraint]:
        """Charge or discharge; the peaker off, or between its minimum and its rating, long enough."""
        n, power_kw = self.n, self.battery.power_kw
        one = _shifted(n, n, 0)
        step = _shifted(n, n, 0) - _shifted(n, n, 1)
        up = min(n, max(1, math.ceil(self.peaker.min_up_s / self.day.interval_s)))
        recent = csr_array(np.tril(np.ones((n, n))) - np.tril(np.ones((n, n)), -up))
        at_most_zero = (
            {"discharge": one, "discharging": -power_kw * one},
            {"gas": one, "on": -self.peaker.power_kw * one},
            {"gas": -one, "on": self.peaker.min_power_kw * one},
            {"on": step, "start": -one},
            {"start": recent, "on": -one},
        )
        charging = self._rows({"charge": one, "discharging": power_kw * one}, n)
        return [LinearConstraint(self._rows(blocks, n), -np.inf, 0.0) for blocks in at_most_zero] + [
            LinearConstraint(charging, -np.inf, power_kw)
        ]

    def _ramps(self) -> list[LinearConstraint]:
        """Excess on either side, where a change has both ends."""
        steps = ramp_steps(self.day.interval_s)
        if steps is None or not len(self.penalised):
            return []
        n = self.n
        shift = _shifted(n + steps, n, 0) - _shifted(n + steps, n, steps)
        moved = csr_array(shift[self.penalised])
        excess = _shifted(len(self.penalised), len(self.penalised), 0)
        sides = []
        for sign in (1.0, -1.0):
            blocks = {
                "discharge": sign * moved,
                "gas": sign * moved,
                "charge": -sign * moved,
                "excess": excess,
            }
            least = sign * self.changes_kw - self.day.ramp_limit_kw
            sides.append(LinearConstraint(self._rows(blocks, len(self.penalised)), least, np.inf))
        return sides


def _shifted(rows: int, columns: int, back: int) -> csr_array:
    """Ones that give each row the column ``back`` intervals before it."""
    return csr_array(eye_array(rows, columns, k=-back))
