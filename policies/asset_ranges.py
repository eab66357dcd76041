"""What the assets of a view can do: the battery over the coming interval, the peaker over a plan's steps."""

import numpy as np

from grid.assets import BatteryState
from grid.units import SECONDS_PER_HOUR
from policies.horizon import Array, Grid
from policies.view import GridView

BEYOND_MIN_UP_S = 1800.0
"""How far a run is planned beyond its minimum up time."""


def battery_range_kw(view: GridView) -> tuple[float, float]:
    """Lowest and highest power that stored energy and the day's cycles sustain over the coming interval."""
    spec = view.battery
    low_kw, high_kw = BatteryState(view.soc_kwh).power_range_kw(spec, view.interval_s)
    left_kwh = max(0.0, spec.max_cycles_per_day - view.cycles_today) * spec.energy_kwh
    return low_kw, min(high_kw, left_kwh * spec.one_way_efficiency / (view.interval_s / SECONDS_PER_HOUR))


def peaker_range_kw(view: GridView, grid: Grid) -> tuple[Array, Array]:
    """The peaker's range at each step, if none is started: a running one stays up its minimum time."""
    if not view.peaker_on:
        return np.zeros(grid.steps), np.zeros(grid.steps)
    left_s = max(0.0, view.peaker.min_up_s - view.peaker_in_state_s)
    return _bound_kw(view, grid, 0.0, left_s)


def started_range_kw(view: GridView, grid: Grid, later: int = 0) -> tuple[Array, Array]:
    """Its range at each step if it starts: approval takes one that is asked for now to the next interval.

    Args:
        view: the state.
        grid: the plan's steps.
        later: intervals by which the start is put off.
    """
    begins_s = (later + (view.peaker_start != "approved")) * view.interval_s
    low_kw, high_kw = _bound_kw(view, grid, begins_s, begins_s + view.peaker.min_up_s)
    high_kw[: round(begins_s / view.interval_s)] = 0.0
    return low_kw, high_kw


def _bound_kw(view: GridView, grid: Grid, from_s: float, until_s: float) -> tuple[Array, Array]:
    """At least the minimum load from one moment to another; a step that they cut counts in part.

    A run is planned for little more than its minimum up time: what comes much later is no reason to be up
    now, it can be answered by a start of its own.
    """
    ends_s = np.cumsum(grid.hours) * SECONDS_PER_HOUR
    starts_s = ends_s - grid.hours * SECONDS_PER_HOUR
    share = (np.minimum(ends_s, until_s) - np.maximum(starts_s, from_s)) / (ends_s - starts_s)
    low_kw = np.clip(share, 0.0, 1.0) * view.peaker.min_power_kw
    last_s = max(until_s, from_s + view.peaker.min_up_s) + BEYOND_MIN_UP_S
    return low_kw, np.where(ends_s <= last_s, view.peaker.power_kw, low_kw)
