"""A leak-free backtest of the forecast: train before T, predict every row from T on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from grid.units import RAMP_WINDOW_S, require_utc
from pipeline.arrays import Floats, Micros
from pipeline.errors import BacktestError
from pipeline.features import SiteEvents, events_of, feature_rows, nearest, values_at
from pipeline.metrics import band_metrics, skill
from pipeline.model import ForecastModel
from pipeline.timestamps import MICROS_PER_SECOND
from pipeline.training import train

DRIFT_DAYS: Final = 7
_DAY_US: Final = 86_400 * MICROS_PER_SECOND
_BAND: Final = ["p10_kw", "p50_kw", "p90_kw"]


@dataclass(frozen=True)
class ForecastBacktest:
    """What a backtest gave.

    Attributes:
        predictions: ``issued_at``, ``target_at`` (UTC), ``p10_kw``, ``p50_kw``, ``p90_kw``
            (changes in kW): one line for every row from T on, blank (NaN) where the input is missing.
        metrics: as :func:`pipeline.metrics.band_metrics`, over the ``rows`` lines whose change is
            known; ``mae_drift_kw`` and ``skill_drift`` against the mean same-time change of the
            last 7 days, over those with such a past.
        model: what was trained on the rows before T.
    """

    predictions: pd.DataFrame
    metrics: Mapping[str, float]
    model: ForecastModel


def backtest_forecast(
    series: BaseSeries, *, train_until: datetime, site_tz: str, horizon_s: float = float(RAMP_WINDOW_S)
) -> ForecastBacktest:
    """Train on what was known before T and predict from T on.

    Args:
        series: the whole series.
        train_until: T; training targets end before it.
        site_tz: the site's IANA time zone.
        horizon_s: how far ahead the change is, in seconds.

    Returns:
        Predictions and their metrics. A prediction rests on rows up to its ``issued_at`` alone.

    Raises:
        BacktestError: if there are no rows from T on.
        TrainingError: if there are too few before T.
    """
    start = require_utc(train_until, "train_until")
    frame = series.frame
    before, after = frame[frame.index < start], frame[frame.index >= start]
    if len(after) == 0:
        raise BacktestError(f"train_until: no rows from {start.isoformat()} on; choose an earlier time")
    past = BaseSeries(before, series.cadence_s, series.currency, series.price_source)
    model = train(past, cadence_s=series.cadence_s, site_tz=site_tz, horizon_s=horizon_s)
    events = events_of(series)
    predictions = _predict(events, after, model)
    metrics = _score(predictions, events, model)
    return ForecastBacktest(predictions, metrics, model)


def _predict(events: SiteEvents, after: pd.DataFrame, model: ForecastModel) -> pd.DataFrame:
    issued = pd.DatetimeIndex(after.index).tz_convert("UTC").as_unit("us")
    metadata = model.metadata
    known = after["net_load_kw"].notna().to_numpy()
    at = np.searchsorted(events.ts_us, issued.asi8[known])
    rows = feature_rows(events, at, cadence_s=metadata.cadence_s, site_tz=metadata.site_tz)
    bands = np.full((len(after), len(_BAND)), np.nan)
    bands[known] = model.predict(rows, events.net_load_kw[at])
    columns = dict(zip(_BAND, bands.T, strict=True))
    target = issued + pd.Timedelta(seconds=metadata.horizon_s)
    return pd.DataFrame({"issued_at": issued, "target_at": target, **columns})


def _score(predictions: pd.DataFrame, events: SiteEvents, model: ForecastModel) -> dict[str, float]:
    metadata = model.metadata
    issued_us = pd.DatetimeIndex(predictions["issued_at"]).asi8
    bands = predictions[_BAND].to_numpy(dtype=np.float64)
    changes = _changes(events, issued_us, metadata.horizon_s, metadata.cadence_s)
    known = ~np.isnan(changes) & ~np.isnan(bands[:, 1])
    if not known.any():
        return {"rows": 0.0}
    drift = drift_reference(events, issued_us, horizon_s=metadata.horizon_s, cadence_s=metadata.cadence_s)
    with_past = known & ~np.isnan(drift)
    metrics = {"rows": float(known.sum()), **band_metrics(bands[known], changes[known])}
    if with_past.any():
        off = changes[with_past]
        mae_drift = float(np.mean(np.abs(off - drift[with_past])))
        metrics["mae_drift_kw"] = mae_drift
        metrics["skill_drift"] = skill(float(np.mean(np.abs(off - bands[with_past, 1]))), mae_drift)
    return metrics


def drift_reference(events: SiteEvents, issued_us: Micros, *, horizon_s: float, cadence_s: float) -> Floats:
    """The reference forecast: mean change at the same time of the last 7 days, in kW.

    Invariants:
        Yesterday's change is complete a day less the horizon before it is used. NaN where none
        of the seven days has both ends.
    """
    past = np.array(
        [
            _changes(events, issued_us - days * _DAY_US, horizon_s, cadence_s)
            for days in range(1, DRIFT_DAYS + 1)
        ]
    )
    count = np.sum(~np.isnan(past), axis=0)
    total = np.nansum(past, axis=0)
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def _changes(events: SiteEvents, from_us: Micros, horizon_s: float, cadence_s: float) -> Floats:
    """NL(t + horizon) − NL(t) for times t; NaN where an end is missing."""
    half_cadence_us = round(cadence_s * MICROS_PER_SECOND) // 2
    until_us = from_us + round(horizon_s * MICROS_PER_SECOND)
    ends = [
        values_at(events.net_load_kw, nearest(events.ts_us, at, half_cadence_us))
        for at in (from_us, until_us)
    ]
    return np.asarray(ends[1] - ends[0])
