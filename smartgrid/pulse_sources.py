"""Where produced pulses come from: a recorded series, or any number of simulated sites."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from grid.series import CHANNELS, BaseSeries
from grid.synthetic import FINE_STEP_S, generate_day
from grid.telemetry import Telemetry
from smartgrid.errors import ScenarioError

_DAY_SEED = 1000
_MOST_SHIFT_ROWS = 720
_SHIFT_ROWS = 97
_GOLDEN = 0.6180339887498949
_SMALLEST_SITE, _SITE_RANGE = 0.0005, 0.001


def series_pulses(series: BaseSeries, site: str) -> Iterator[Telemetry]:
    """A series row by row; what is missing stays missing."""
    columns = [
        [None if math.isnan(value) else value for value in series.frame[name].tolist()]
        if name in series.frame
        else [None] * len(series.frame)
        for name in CHANNELS
    ]
    moments = pd.DatetimeIndex(series.frame.index).to_pydatetime()
    for moment, *values in zip(moments, *columns, strict=True):
        yield Telemetry(site, moment, **dict(zip(CHANNELS, values, strict=True)))


def simulated_start(now: datetime, sites: int, rate: float, seconds: float | None) -> datetime:
    """The first stamp of simulated pulses, such that none is ever ahead of the wall clock.

    Args:
        now: by the wall clock.
        sites: how many.
        rate: pulses of all sites per second of wall time.
        seconds: for how long; None without an end.

    Raises:
        ScenarioError: if the pulses would outrun the clock and have no end to count back from.
    """
    pace = simulated_step_s(sites, rate) * rate / sites
    if pace <= 1.0 + 1e-9:
        return now
    if seconds is None:
        raise ScenarioError(
            f"--rate {rate:g} is faster than {sites} sites pulse in life ({sites / FINE_STEP_S:g}/s); "
            "give --seconds, so that the pulses can begin in the past"
        )
    return now - timedelta(seconds=(pace - 1.0) * seconds)


def simulated_step_s(sites: int, rate: float) -> float:
    """Seconds between two pulses of a site: the fine step, or longer where the rate is too low for it."""
    return max(FINE_STEP_S, sites / rate)


def simulated_pulses(sites: int, start: datetime, step_s: float) -> Iterator[Telemetry]:
    """Pulses of many sites without an end, all sites at one stamp after those at the one before.

    Each site has one day's shape at its own size, up to an hour shifted, over and over.
    """
    frame = generate_day(_DAY_SEED).frame
    load, solar, wind = (frame[name].tolist() for name in ("load_kw", "solar_kw", "wind_kw"))
    known = [
        (
            f"sim-{i:06d}",
            _SMALLEST_SITE + _SITE_RANGE * (i * _GOLDEN % 1.0),
            i * _SHIFT_ROWS % _MOST_SHIFT_ROWS,
        )
        for i in range(sites)
    ]
    turn = 0
    while True:
        moment = start + timedelta(seconds=turn * step_s)
        base = round(turn * step_s / FINE_STEP_S)
        for name, size, shift in known:
            row = (base + shift) % len(load)
            parts = load[row] * size, solar[row] * size, wind[row] * size
            yield Telemetry(name, moment, *parts, parts[0] - parts[1] - parts[2])
        turn += 1
