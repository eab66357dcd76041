"""A seeded physical generator: one local day of an area with solar, wind and load.

The area peaks near 100 MW of net load. Every seed has a date of its own in the season from May
to September, which has no change of daylight saving time, so all seeds are days of one
population: a model that learnt from :func:`training_seeds` fits the others. Prices are not
made here (:mod:`grid.synthetic_prices`) and the frequency is the plant's (:mod:`grid.frequency`).
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grid.clear_sky import clear_sky_output
from grid.errors import GeneratorError
from grid.instability_shapes import draw_disturbances
from grid.series import BaseSeries
from grid.weather import clearness, wander, wind_output

Array = NDArray[np.float64]

SITE_TZ = "America/Los_Angeles"
SOLAR_RATED_KW = 45_000.0
WIND_RATED_KW = 20_000.0
MEAN_LOAD_KW = 80_000.0
FINE_STEP_S = 5.0
"""Every day is made at this step; slower cadences are its means."""

_DAY_S = 86_400
_SEASON_START = (5, 1)
_SEASON_DAYS = 151
_SEASON_STRIDE = 61
_FIRST_YEAR = 2015
_YEARS = 60
_STREAM = 0x5EED
_LOAD_BY_HOUR = (
    (0.0, 0.78), (3.0, 0.70), (5.0, 0.74), (7.5, 0.95), (10.0, 1.03), (13.0, 1.07),
    (16.0, 1.14), (18.5, 1.28), (20.0, 1.25), (22.0, 0.97), (24.0, 0.78),
)  # fmt: skip
_WEEKEND_SHARE = 0.93


def training_seeds() -> range:
    """The seeds of the 30 days that the synthetic area's model, limits and scale come from."""
    return range(100, 130)


@lru_cache(maxsize=2)
def training_series(cadence_s: float = FINE_STEP_S) -> tuple[BaseSeries, ...]:
    """The training days, each a series of its own."""
    return tuple(generate_day(seed, cadence_s) for seed in training_seeds())


def day_of(seed: int) -> date:
    """The local date of a seed, in May to September; seeds of one season never share a date."""
    season, place = divmod(seed, _SEASON_DAYS)
    first = date(_FIRST_YEAR + season % _YEARS, *_SEASON_START)
    return first + timedelta(days=place * _SEASON_STRIDE % _SEASON_DAYS)


def generate_day(seed: int, cadence_s: float = FINE_STEP_S) -> BaseSeries:
    """One local day (24 h from midnight in :data:`SITE_TZ`) of load, solar, wind and net load.

    Args:
        seed: of the day's weather, load and disturbances, and of its date; the same seed gives
            the same bits.
        cadence_s: seconds between rows, a multiple of 5 that divides the day; the rows are
            means of the 5 s grid.

    Raises:
        GeneratorError: if ``seed`` is negative or ``cadence_s`` does not fit.
    """
    rows_per_mean = _rows_per_mean(seed, cadence_s)
    start = pd.Timestamp(day_of(seed), tz=SITE_TZ).tz_convert("UTC")
    parts = {
        name: values.reshape(-1, rows_per_mean).mean(axis=1)
        for name, values in _fine_parts(seed, start).items()
    }
    frame = pd.DataFrame(parts, index=_row_starts(start, cadence_s))
    frame["net_load_kw"] = frame["load_kw"] - frame["solar_kw"] - frame["wind_kw"]
    return BaseSeries(frame, cadence_s)


def generate_days(seeds: Iterable[int], cadence_s: float = FINE_STEP_S) -> BaseSeries:
    """Several days as one series in the order of time, with gaps between them.

    Raises:
        GeneratorError: as :func:`generate_day`.
    """
    days = [generate_day(seed, cadence_s).frame for seed in seeds]
    return BaseSeries(pd.concat(days).sort_index(), cadence_s)


def _rows_per_mean(seed: int, cadence_s: float) -> int:
    if seed < 0:
        raise GeneratorError(f"seed: {seed} is negative; give 0 or more")
    if cadence_s <= 0 or cadence_s % FINE_STEP_S or _DAY_S % cadence_s:
        raise GeneratorError(
            f"cadence_s: {cadence_s} does not fit; give a multiple of 5 s that divides the day, e.g. 300"
        )
    return int(cadence_s // FINE_STEP_S)


def _row_starts(start: pd.Timestamp, cadence_s: float) -> pd.DatetimeIndex:
    periods = int(_DAY_S // cadence_s)
    return pd.date_range(
        start, periods=periods, freq=pd.Timedelta(seconds=cadence_s), name="ts_utc", unit="us"
    )


def _fine_parts(seed: int, start: pd.Timestamp) -> dict[str, Array]:
    """Load, solar and wind in kW every :data:`FINE_STEP_S` seconds; a stream of noise for each."""
    seconds = np.arange(0.0, _DAY_S, FINE_STEP_S)
    sky, air, demand, shocks = np.random.default_rng([_STREAM, seed]).spawn(4)
    disturbances = draw_disturbances(shocks)
    solar = SOLAR_RATED_KW * clear_sky_output(start, seconds) * clearness(sky, len(seconds), FINE_STEP_S)
    wind = WIND_RATED_KW * wind_output(air, len(seconds), FINE_STEP_S)
    load = _load_kw(demand, seconds, day_of(seed))
    for disturbance in disturbances:
        shape = disturbance.shape(seconds)
        match disturbance.kind:
            case "load_step":
                load = load + shape * MEAN_LOAD_KW
            case "wind_trip":
                wind = wind * (1.0 - shape)
            case "cloud_front" | "solar_trip":
                solar = solar * (1.0 - shape)
    return {"load_kw": load, "solar_kw": solar, "wind_kw": wind}


def _load_kw(rng: np.random.Generator, seconds: Array, day: date) -> Array:
    """Load by hour and weekday, with the day's own level and noise of hours, minutes and pulses."""
    hours, shares = zip(*_LOAD_BY_HOUR, strict=True)
    shape = np.interp(seconds / 3600.0, hours, shares)
    level = rng.normal(1.0, 0.03) * (_WEEKEND_SHARE if day.weekday() >= 5 else 1.0)
    n = len(seconds)
    noise = (
        0.012 * wander(rng, n, 5400.0, FINE_STEP_S)
        + 0.006 * wander(rng, n, 600.0, FINE_STEP_S)
        + 0.001 * wander(rng, n, 20.0, FINE_STEP_S)
    )
    return np.asarray(MEAN_LOAD_KW * level * (shape + noise))
