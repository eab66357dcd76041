"""The steps ahead that a plan is made of: fine ones at first, then half hours, to the end of the day.

For every step: its length, the net load to expect, how wrong that may be, and the price to expect.
Everything comes from the view, so nothing is used that was unknown at the time.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from grid.accounts import ramp_steps
from grid.units import RAMP_WINDOW_S, SECONDS_PER_HOUR
from policies.view import GridView

Array = NDArray[np.float64]

FINE_S = 9000.0
"""Planned interval by interval; ramps further ahead are planned by half hours."""
OPEN_END_S = 43200.0
"""The horizon where the view names no end of the day."""
_PRICE_MEMORY_PER_5_MIN = 0.85
"""What is left, five minutes on, of the real-time price's distance from what was expected."""
_BAND_GROWTH = 0.7
"""The band of a change ``h`` ahead is that of 30 minutes times (h / 30 min) to this power."""
P90_SIGMAS = 1.2816
"""The 90th percentile of a normal error, in standard deviations."""
_ERRORS_ALIKE = 0.5
"""Correlation of the forecast's error with the outlook's: both rest on the same measurements."""
_LEVEL_MEMORY_PER_HOUR = 0.8
"""What is left, an hour on, of the net load's distance from its outlook."""


@dataclass(frozen=True)
class Grid:
    """How the time ahead is cut.

    Attributes:
        interval_s: length of a fine step.
        fine: number of fine steps; those of the 30 minutes after the day are among them if they are near.
        coarse: number of half hours after them, up to the end of the day, and one beyond it.
        idle: fine and coarse steps at the end that lie after the day, when the assets stand still.
    """

    interval_s: float
    fine: int
    coarse: int
    idle: int

    @property
    def window(self) -> int:
        """Fine steps in 30 minutes; 0 where ramps are not counted."""
        return ramp_steps(self.interval_s) or 0

    @property
    def steps(self) -> int:
        """All steps."""
        return self.fine + self.coarse

    @property
    def hours(self) -> Array:
        """Length of every step."""
        return np.concatenate(
            (
                np.full(self.fine, self.interval_s / SECONDS_PER_HOUR),
                np.full(self.coarse, RAMP_WINDOW_S / SECONDS_PER_HOUR),
            )
        )


def grid_of(view: GridView) -> Grid:
    """Cut the time ahead of a view."""
    left_s = OPEN_END_S if view.day_end is None else (view.day_end - view.now).total_seconds()
    left = max(1, math.ceil(left_s / view.interval_s))
    ends = view.day_end is not None
    window = ramp_steps(view.interval_s)
    if window is None:
        return Grid(view.interval_s, min(left, max(1, round(OPEN_END_S / view.interval_s))), 0, 0)
    fine = max(window, math.ceil(FINE_S / view.interval_s))
    if left <= fine + window:
        return Grid(view.interval_s, left + (window if ends else 0), 0, window if ends else 0)
    fine += (left - fine) % window
    return Grid(view.interval_s, fine, (left - fine) // window + ends, int(ends))


@dataclass(frozen=True)
class Outlook:
    """What to expect, step by step.

    Attributes:
        grid: the steps.
        change_kw: change of native net load against 30 minutes before; NaN where it is unknown.
        below_kw, above_kw: how far its 10th and 90th percentile lie from it, both >= 0.
        price_usd_per_mwh: expected real-time price; the first is known.
        settlement_usd_per_mwh: at which missing energy is bought at the end.
    """

    grid: Grid
    change_kw: Array
    below_kw: Array
    above_kw: Array
    price_usd_per_mwh: Array
    settlement_usd_per_mwh: float


def outlook_of(view: GridView) -> Outlook:
    """What a view lets one expect."""
    grid = grid_of(view)
    intervals = grid.fine + grid.coarse * grid.window
    change_kw = np.full(grid.steps, np.nan)
    if grid.window:
        change_kw = _changes(view, grid, levels_kw(view, intervals))
    below_kw, above_kw = _spread(view, grid)
    price = _prices(view, intervals)
    settlement = view.settlement_price_usd_per_mwh
    return Outlook(
        grid=grid,
        change_kw=change_kw,
        below_kw=below_kw,
        above_kw=above_kw,
        price_usd_per_mwh=_by_step(grid, price),
        settlement_usd_per_mwh=max(0.0, float(price.mean()) if settlement is None else settlement),
    )


def _by_step(grid: Grid, values: Array) -> Array:
    """Means over the steps of what is given by interval."""
    coarse = values[grid.fine :].reshape(grid.coarse, -1).mean(axis=1) if grid.coarse else values[:0]
    return np.concatenate((values[: grid.fine], coarse))


def levels_kw(view: GridView, n: int) -> Array:
    """Expected native net load of the next ``n`` intervals; NaN when the newest one is unknown.

    It starts at the newest measurement and follows the outlook. An outlook that starts from what was
    measured is met by the forecast half-way, by how wrong each usually is; another one meets the forecast
    at 30 minutes, and from there on its level comes back by and by.
    """
    newest = view.native_kw[-1] if view.native_kw else None
    if newest is None:
        return np.full(n, np.nan)
    shape = _shape(view, n)
    ahead = np.arange(1, n + 1)
    reach = max(1, round(RAMP_WINDOW_S / view.interval_s))
    surprise_kw = 0.0
    if view.forecast is not None:
        surprise_kw = _weight(view) * (view.forecast.p50_kw - (shape[min(reach, n)] - shape[0]))
    joined_kw = newest + shape[1:] - shape[0] + np.minimum(ahead / reach, 1.0) * surprise_kw
    if view.outlook_sigma_kw or all(value is None for value in view.outlook_kw):
        return np.asarray(joined_kw)  # there is no other level to come back to
    if view.forecast is None:
        reach = 0
    off_kw = newest - shape[0] + surprise_kw
    hours = np.maximum(0, ahead - reach) * view.interval_s / SECONDS_PER_HOUR
    return np.asarray(joined_kw + off_kw * (_LEVEL_MEMORY_PER_HOUR**hours - 1.0))


def _weight(view: GridView) -> float:
    """What the forecast counts against an outlook of known error; 1 against one of unknown error.

    The best linear mean of two estimates whose errors have the correlation :data:`_ERRORS_ALIKE`.
    """
    outlook_kw, forecast_kw = _sigmas(view)
    if outlook_kw is None or forecast_kw is None:
        return 1.0
    shared = _ERRORS_ALIKE * outlook_kw * forecast_kw
    whole = outlook_kw**2 + forecast_kw**2 - 2.0 * shared
    return min(1.0, max(0.0, (outlook_kw**2 - shared) / whole)) if whole > 0.0 else 0.5


def _sigmas(view: GridView) -> tuple[float | None, float | None]:
    """Error of the outlook and of the forecast in 30 minutes, in kW; None where unknown."""
    reach = max(1, round(RAMP_WINDOW_S / view.interval_s))
    known = view.outlook_sigma_kw
    outlook_kw = known[min(reach, len(known)) - 1] if known else None
    band = view.forecast
    return outlook_kw, None if band is None else max(0.0, band.p90_kw - band.p10_kw) / (2.0 * P90_SIGMAS)


def _shape(view: GridView, n: int) -> Array:
    """The outlook of the newest interval and the next ``n``, held where it is missing; 0 without one."""
    known = [value for value in view.outlook_kw if value is not None]
    shape, last = np.empty(n + 1), known[0] if known else 0.0
    for k in range(n + 1):
        value = view.outlook_kw[k] if k < len(view.outlook_kw) else None
        last = last if value is None else value
        shape[k] = last
    return shape


def _changes(view: GridView, grid: Grid, level_kw: Array) -> Array:
    past = [np.nan if value is None else value for value in view.native_kw]
    past = ([np.nan] * grid.window + past)[-grid.window :]
    line = np.concatenate((past, level_kw[: grid.fine]))
    fine = line[grid.window :] - line[: -grid.window]
    halves = level_kw[grid.fine - grid.window :].reshape(grid.coarse + 1, grid.window).mean(axis=1)
    return np.concatenate((fine, np.diff(halves)))


def _spread(view: GridView, grid: Grid) -> tuple[Array, Array]:
    """How far the change may lie below and above what is expected.

    An outlook of known error says it for every step. Else it is the forecast's band, which opens over its 30
    minutes and stays as wide after them.
    """
    if not grid.window:
        return np.zeros(grid.steps), np.zeros(grid.steps)
    if view.outlook_sigma_kw:
        wide = P90_SIGMAS * _sigma_by_step(view, grid)
        return wide, wide
    if view.forecast is None:
        return np.zeros(grid.steps), np.zeros(grid.steps)
    ahead = np.arange(1, grid.steps + 1)
    opened = np.minimum(1.0, ahead / grid.window) ** _BAND_GROWTH
    band = view.forecast
    return opened * max(0.0, band.p50_kw - band.p10_kw), opened * max(0.0, band.p90_kw - band.p50_kw)


def _sigma_by_step(view: GridView, grid: Grid) -> Array:
    """Error of each step's change; the last known one holds on. A better forecast narrows the first ones."""
    sigma = np.array(view.outlook_sigma_kw, dtype=np.float64)
    ends = np.concatenate(
        (np.arange(1, grid.fine + 1), grid.fine + grid.window * np.arange(1, grid.coarse + 1))
    )
    by_step = sigma[np.minimum(ends, len(sigma)) - 1]
    outlook_kw, forecast_kw = _sigmas(view)
    if outlook_kw is not None and forecast_kw is not None and outlook_kw > 0.0:
        weight = _weight(view)
        both = (1.0 - weight) ** 2 * outlook_kw**2 + weight**2 * forecast_kw**2
        both += 2.0 * weight * (1.0 - weight) * _ERRORS_ALIKE * outlook_kw * forecast_kw
        by_step[: grid.window] *= min(1.0, math.sqrt(both) / outlook_kw)
    return np.asarray(by_step)


def _prices(view: GridView, n: int) -> Array:
    """Expected real-time price of the next ``n`` intervals, as far as the view has it.

    Beyond, the distance of the known price from the day-ahead one fades within half an hour.
    """
    made = _faded_prices(view, n)
    expected = [np.nan if price is None else price for price in view.expected_usd_per_mwh[:n]]
    made[: len(expected)] = np.where(np.isnan(expected), made[: len(expected)], expected)
    if view.price_usd_per_mwh is not None:
        made[0] = view.price_usd_per_mwh
    return made


def _faded_prices(view: GridView, n: int) -> Array:
    step = timedelta(seconds=view.interval_s)
    quoted = dict(view.prices_ahead)
    fallback = view.settlement_price_usd_per_mwh
    base, last = np.empty(n), fallback
    for k in range(n):
        last = quoted.get(view.now + k * step, last if quoted else fallback)
        base[k] = np.nan if last is None else last
    now = view.price_usd_per_mwh
    if now is None:
        return np.nan_to_num(base)
    if np.isnan(base[0]):
        base = np.where(np.isnan(base), now, base)
    steps = np.arange(n) * view.interval_s / 300.0
    return np.asarray(base + (now - base[0]) * _PRICE_MEMORY_PER_5_MIN**steps)
