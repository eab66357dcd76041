"""The rolling plan of battery and peaker: a linear program over what the view lets one expect.

It weighs in one sum what both loops care about: energy at its expected price, wear, fuel, the day's
cycles and settlement, and the expected ramp penalty of the metered net load. The penalty is expected
over the forecast band, not its mean: over three cases that have a normal error's mean, spread and tails
(Gauss-Hermite: √3 standard deviations below and above, odds 1/6, 2/3, 1/6), it is convex and piecewise
linear in the change, so the program stays linear. Only the first step of a plan is ever acted on; the next
view makes a new one.

It is a pure function of the view. Both loops call it, so that they act on one plan, each with its part:
trading moves the battery along it, response bounds the coming interval and starts the peaker.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, csr_array, eye_array, hstack, vstack

from grid.market import RAMP_PENALTY_USD_PER_KWH
from grid.units import KW_PER_MW
from policies.errors import PlanError
from policies.horizon import P90_SIGMAS, Array, Grid, Outlook
from policies.view import GridView

_BLOCKS = ("charge", "discharge", "stored", "gas", "free", "up1", "up2", "up3", "down1", "down2", "down3")
_SLOPES = (1 / 6, 5 / 6, 1.0)
"""Odds that a change beyond the first, second and third kink is penalised."""
CASE_SPREAD = math.sqrt(3.0) / P90_SIGMAS
"""How far the low and the high case lie out, in distances of P10 and P90 from the median."""


@dataclass(frozen=True)
class Plan:
    """An expected course.

    Attributes:
        outlook: what it rests on.
        battery_kw, peaker_kw: power at each step, positive injects.
        stored_kwh: at each step's end.
        penalty_usd: expected ramp penalty over the horizon.
        cost_usd: expected cost over the horizon: penalty less energy profit.
    """

    outlook: Outlook
    battery_kw: Array
    peaker_kw: Array
    stored_kwh: Array
    penalty_usd: float
    cost_usd: float


def make_plan(
    view: GridView, outlook: Outlook, gas_low_kw: Array, gas_high_kw: Array, held_kw: Sequence[float] = ()
) -> Plan:
    """The plan of least expected cost.

    Args:
        view: the state.
        outlook: what to expect.
        gas_low_kw, gas_high_kw: the peaker's range at each step.
        held_kw: the battery's power in the first steps, where it is given beforehand.

    Raises:
        PlanError: if a number is not finite, or the solver finds no plan, which a view that does not
            contradict itself, and a power that the battery can hold, cannot cause.
    """
    columns = _Columns(outlook.grid)
    low, high = columns.bounds(view, outlook, gas_low_kw, gas_high_kw)
    columns.hold(low, high, held_kw)
    costs = columns.costs(view, outlook)
    left_kwh = max(0.0, view.battery.max_cycles_per_day - view.cycles_today) * view.battery.energy_kwh
    right = _right_hand_side(view, outlook)
    _require_finite(view, costs, right)
    matrix = _matrix(outlook.grid, view.battery.one_way_efficiency)
    least = np.concatenate((right, [-np.inf, view.battery.initial_soc * view.battery.energy_kwh]))
    most = np.concatenate((right, [left_kwh, np.inf]))
    solved = milp(costs, constraints=LinearConstraint(matrix, least, most), bounds=Bounds(low, high))
    if solved.x is None:
        raise PlanError(f"plan at {view.now.isoformat()}: {solved.message}")
    part = columns.part
    penalties = sum(float(part(costs, name) @ part(solved.x, name)) for name in _BLOCKS[5:])
    return Plan(
        outlook=outlook,
        battery_kw=part(solved.x, "discharge") - part(solved.x, "charge"),
        peaker_kw=part(solved.x, "gas"),
        stored_kwh=part(solved.x, "stored"),
        penalty_usd=penalties,
        cost_usd=float(solved.fun),
    )


def _require_finite(view: GridView, costs: Array, right: Array) -> None:
    for what, values in (("price or cost", costs), ("net load or stored energy", right)):
        if not np.isfinite(values).all():
            raise PlanError(
                f"plan at {view.now.isoformat()}: a {what} is not finite; leave a missing one None"
            )


@dataclass(frozen=True)
class _Columns:
    """Blocks of one column per step, and the energy missing at the end as the last column."""

    grid: Grid

    @property
    def size(self) -> int:
        return len(_BLOCKS) * self.grid.steps + 1

    def part(self, vector: Array, name: str) -> Array:
        """The view of one block."""
        at = _BLOCKS.index(name) * self.grid.steps
        return vector[at : at + self.grid.steps]

    def costs(self, view: GridView, outlook: Outlook) -> Array:
        per_kw = self.grid.hours / KW_PER_MW
        price = outlook.price_usd_per_mwh
        costs = np.zeros(self.size)
        self.part(costs, "charge")[:] = price * per_kw
        self.part(costs, "discharge")[:] = (view.battery.wear_usd_per_mwh - price) * per_kw
        self.part(costs, "gas")[:] = (view.peaker.running_usd_per_mwh - price) * per_kw
        for side in ("up", "down"):
            for k, slope in enumerate(_SLOPES, start=1):
                self.part(costs, f"{side}{k}")[:] = slope * RAMP_PENALTY_USD_PER_KWH * self.grid.hours
        costs[-1] = outlook.settlement_usd_per_mwh / view.battery.one_way_efficiency / KW_PER_MW
        return costs

    def bounds(
        self, view: GridView, outlook: Outlook, gas_low_kw: Array, gas_high_kw: Array
    ) -> tuple[Array, Array]:
        low, high = np.zeros(self.size), np.full(self.size, np.inf)
        spec, acting = view.battery, self.grid.steps - self.grid.idle
        for name in ("charge", "discharge"):
            self.part(high, name)[:acting] = spec.power_kw
            self.part(high, name)[acting:] = 0.0
        # A battery that stands outside its bounds may stay there, but not move further out.
        self.part(low, "stored")[:] = min(spec.soc_min * spec.energy_kwh, view.soc_kwh)
        self.part(high, "stored")[:] = max(spec.soc_max * spec.energy_kwh, view.soc_kwh)
        self.part(low, "gas")[:acting] = gas_low_kw[:acting]
        self.part(high, "gas")[:acting] = gas_high_kw[:acting]
        self.part(high, "gas")[acting:] = 0.0
        below, above = (
            np.minimum(CASE_SPREAD * side, 0.95 * view.ramp_limit_kw)
            for side in (outlook.below_kw, outlook.above_kw)
        )
        self.part(low, "free")[:] = below - view.ramp_limit_kw
        self.part(high, "free")[:] = view.ramp_limit_kw - above
        for name, width in (("up1", above), ("up2", below), ("down1", below), ("down2", above)):
            self.part(high, name)[:] = width
        unknown = np.isnan(outlook.change_kw)
        self.part(low, "free")[unknown], self.part(high, "free")[unknown] = -np.inf, np.inf
        return low, high

    def hold(self, low: Array, high: Array, held_kw: Sequence[float]) -> None:
        """Leave the battery no choice in the first steps."""
        power_kw = np.array(held_kw, dtype=np.float64)
        for name, sign in (("charge", -1.0), ("discharge", 1.0)):
            for bound in (low, high):
                self.part(bound, name)[: len(power_kw)] = np.maximum(0.0, sign * power_kw)


def band_reserve_kw(view: GridView, outlook: Outlook) -> tuple[float, float]:
    """Discharge and charge that the band may ask of the battery within 30 minutes, in kW, both >= 0.

    What P10 and P90 of the native change would leave beyond the limit if nothing else moved; as far as the
    battery's rating goes.
    """
    window = min(outlook.grid.window, outlook.grid.fine)
    if not window:
        return 0.0, 0.0
    change_kw = np.nan_to_num(outlook.change_kw[:window])
    change_kw = change_kw + injected_before_kw(view, outlook.grid.window)[:window] - view.peaker_kw
    up_kw = np.max(change_kw + outlook.above_kw[:window]) - view.ramp_limit_kw
    down_kw = -np.min(change_kw - outlook.below_kw[:window]) - view.ramp_limit_kw
    low_kw, high_kw = np.clip((up_kw, down_kw), 0.0, view.battery.power_kw)
    return float(low_kw), float(high_kw)


def injected_before_kw(view: GridView, steps: int) -> Array:
    """What the assets injected in each of the last ``steps`` intervals; 0 where a meter has a gap."""
    pairs = list(zip(view.native_kw, view.metered_kw, strict=True))[-steps:]
    injected = [0.0 if None in pair else _difference(*pair) for pair in pairs]
    return np.array([0.0] * (steps - len(injected)) + injected)


def _difference(native_kw: float | None, metered_kw: float | None) -> float:
    return 0.0 if native_kw is None or metered_kw is None else native_kw - metered_kw


def _right_hand_side(view: GridView, outlook: Outlook) -> Array:
    """Of the storage rows, then of the ramp rows."""
    storage = np.zeros(outlook.grid.steps)
    storage[0] = view.soc_kwh
    ramps = np.nan_to_num(outlook.change_kw)
    window = min(outlook.grid.window, outlook.grid.fine)
    if window:
        ramps[:window] += injected_before_kw(view, outlook.grid.window)[:window]
    return np.concatenate((storage, ramps))


@lru_cache(maxsize=512)
def _matrix(grid: Grid, eta: float) -> csc_array:
    """Rows of storage, ramps, cycles and missing energy; it changes with the horizon's shape alone.

    By columns, as the solver wants it.

    Ramp rows: free + up1 + up2 + up3 − down1 − down2 − down3 + moved injection = change of native.
    """
    k, one = grid.steps, csr_array(eye_array(grid.steps))
    hours = csr_array(one.multiply(grid.hours))
    none, column = csr_array((k, k)), csr_array((k, 1))
    step = one - csr_array(eye_array(k, k, k=-1))
    moved = _moved(grid)
    storage = [eta * hours * -1.0, hours * (1.0 / eta), step, *[none] * 8, column]
    ramps = [-1.0 * moved, moved, none, moved, one, one, one, one, -1.0 * one, -1.0 * one, -1.0 * one, column]
    flat = csr_array((1, k))
    cycles = [flat, csr_array((grid.hours / eta).reshape(1, k)), *[flat] * 9, csr_array((1, 1))]
    missing = [flat, flat, csr_array(eye_array(1, k, k=k - 1)), *[flat] * 8, csr_array(eye_array(1, 1))]
    return csc_array(vstack([hstack(row) for row in (storage, ramps, cycles, missing)], format="csr"))


def _moved(grid: Grid) -> csr_array:
    """Each step's injection less that of 30 minutes before, as far as that lies ahead too."""
    moved = np.eye(grid.steps)
    for row in range(grid.window, grid.fine):
        moved[row, row - grid.window] = -1.0
    for row in range(grid.fine, grid.steps):
        before = slice(grid.fine - grid.window, grid.fine) if row == grid.fine else slice(row - 1, row)
        moved[row, before] = -1.0 / (before.stop - before.start)
    return csr_array(moved)
