"""The plan itself: which vehicle charges with how much power in which step. It knows no server."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

Floats = NDArray[np.float64]

MISSING_COSTS = 1e3
"""What a kWh that is not charged in time costs, in spreads of the steps' weights: any step is better."""
LATER_COSTS = 1e-6
"""Of two steps with one weight the earlier is taken, so that a plan does not flicker."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What a vehicle needs.

    Attributes:
        energy_kwh: to be charged, at the meter.
        max_kw: of its charger.
        first: the first step in which it is there.
        end: the step at which it has to be ready.
    """

    energy_kwh: float
    max_kw: float
    first: int
    end: int


def plan_charging(vehicles: Sequence[Vehicle], weights: Floats, step_h: float, depot_kw: float) -> Floats:
    """Powers in kW, a row a vehicle and a column a step, at the least sum of weight times energy.

    What cannot be charged in time is left out, as little as can be.

    Args:
        vehicles: at least one.
        weights: of a kWh in each step; NaN where nothing is known, and nothing is charged there.
        step_h: length of a step in hours.
        depot_kw: what the depot's connection carries.
    """
    count, steps = len(vehicles), len(weights)
    known = ~np.isnan(weights)
    if not known.any():
        return np.zeros((count, steps))
    ranks = _ranks(weights, known)
    most = np.array([_most_kw(vehicle, known) for vehicle in vehicles])
    needed = np.array([vehicle.energy_kwh for vehicle in vehicles])
    solved = linprog(
        np.concatenate((np.tile(ranks * step_h, count), np.full(count, MISSING_COSTS))),
        A_ub=np.hstack((np.tile(np.eye(steps), count), np.zeros((steps, count)))),
        b_ub=np.full(steps, depot_kw),
        A_eq=np.hstack((np.kron(np.eye(count), np.full((1, steps), step_h)), np.eye(count))),
        b_eq=needed,
        bounds=[(0.0, float(kw)) for kw in most.ravel()] + [(0.0, float(kwh)) for kwh in needed],
    )
    if solved.x is None:  # it always has a solution, since everything may be left out
        raise RuntimeError(f"no charging plan was found: {solved.message}")
    powers_kw: Floats = solved.x[: count * steps].reshape(count, steps)
    return np.clip(powers_kw, 0.0, most)


def _ranks(weights: Floats, known: NDArray[np.bool_]) -> Floats:
    """Weights from 0 to 1 by step, a touch more for later ones; any where nothing is known."""
    low, high = weights[known].min(), weights[known].max()
    scaled = np.where(known, weights - low, 0.0) / (high - low or 1.0)
    return np.asarray(scaled + LATER_COSTS * np.arange(len(weights)))


def _most_kw(vehicle: Vehicle, known: NDArray[np.bool_]) -> Floats:
    steps = np.arange(len(known))
    return np.where(known & (steps >= vehicle.first) & (steps < vehicle.end), vehicle.max_kw, 0.0)
