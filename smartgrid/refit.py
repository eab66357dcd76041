"""Whether the model in use has to be trained again, and what from: the drift monitor and the store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from grid.telemetry import NATIVE_SITE, Telemetry
from pipeline.errors import TrainingError
from pipeline.fdia.meters import LEAST_TRUST
from pipeline.forecasting.drift import DriftReport
from pipeline.forecasting.drift_report import StoredDrift
from pipeline.store import SeriesReader, VerdictReader
from pipeline.timestamps import MICROSECOND
from smartgrid.errors import ScenarioError

LEARNT_FROM: Final = timedelta(days=400)
"""How much of the store a refit learns from at most: every season once."""
MOST_PULSES: Final = 2_000_000
"""Of a fast site fewer days: so many pulses take 100 MB."""
_READ_AT_ONCE: Final = timedelta(days=1)
_SILENCE: Final = timedelta(days=14)
_CHANNELS: Final = (
    "load_kw",
    "solar_kw",
    "wind_kw",
    "net_load_kw",
    "price_usd_per_mwh",
    "da_price_usd_per_mwh",
)


@dataclass(frozen=True)
class SiteDrift:
    """How a site's forecasts did up to its newest pulse."""

    site: str
    at: datetime
    report: DriftReport


def drift_of(reader: SeriesReader, site: str | None, *, cadence_s: float) -> SiteDrift:
    """How the forecasts of a site did.

    Args:
        reader: the store.
        site: the meter; None: the area gross of its own assets, or the only one that there is.
        cadence_s: nominal seconds between its pulses.

    Raises:
        ScenarioError: if there is no such site, or several to choose from.
    """
    known = reader.sites()
    chosen = site or (NATIVE_SITE if NATIVE_SITE in known else known[0] if len(known) == 1 else None)
    if chosen not in known:
        there = ", ".join(known) or "none"
        raise ScenarioError(f"--site {site or 'not given'}: choose a site of the store: {there}")
    now = reader.latest(chosen, 1)[-1].ts_utc + MICROSECOND
    return SiteDrift(chosen, now, StoredDrift(chosen, cadence_s=cadence_s).report(reader, now))


def stored_series(reader: SeriesReader, site: str, until: datetime, *, cadence_s: float) -> BaseSeries:
    """What a site measured before a moment, as a series to learn from.

    Pulses that the stream distrusted are left out.

    Args:
        reader: the store.
        site: the meter.
        until: aware.
        cadence_s: nominal seconds between its pulses.

    Raises:
        TrainingError: if nothing is stored.
    """
    days = [_frame(pulses) for pulses in _days(reader, site, until, cadence_s)]
    if not days:
        raise TrainingError(f"site={site!r}: nothing is stored before {until.isoformat()}; give a file")
    frame = pd.concat(reversed(days))
    absent = [name for name in _CHANNELS if name != "net_load_kw" and frame[name].isna().all()]
    return BaseSeries(frame.drop(columns=absent), cadence_s)


def _days(
    reader: SeriesReader, site: str, until: datetime, cadence_s: float
) -> Iterator[Sequence[Telemetry]]:
    """A site's pulses by days, the newest first, until there are enough or none for a fortnight."""
    reach = min(LEARNT_FROM, timedelta(seconds=MOST_PULSES * cadence_s))
    end, newest = until, until
    while end > until - reach and newest - end < _SILENCE:
        pulses = _trusted(reader, site, end - _READ_AT_ONCE, end)
        if pulses:
            newest = end
            yield pulses
        end -= _READ_AT_ONCE


def _trusted(reader: SeriesReader, site: str, start: datetime, end: datetime) -> list[Telemetry]:
    """A site's pulses with ``start <= ts_utc < end`` that the stream did not distrust."""
    found = reader.verdicts(site, start, end) if isinstance(reader, VerdictReader) else []
    low = {one.ts_utc for one in found if one.trust is not None and one.trust < LEAST_TRUST}
    return [pulse for pulse in reader.telemetry(site, start, end) if pulse.ts_utc not in low]


def _frame(pulses: Sequence[Telemetry]) -> pd.DataFrame:
    index = pd.DatetimeIndex([pulse.ts_utc for pulse in pulses], name="ts_utc").as_unit("us")
    columns = {
        name: np.array([getattr(pulse, name) for pulse in pulses], dtype=np.float64) for name in _CHANNELS
    }
    return pd.DataFrame(columns, index=index)
