"""A leak-free backtest: fit on what was known, predict until the next refit, calibrate day by day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from grid.units import require_utc
from pipeline.arrays import Floats, Indices, Micros
from pipeline.errors import BacktestError, TrainingError
from pipeline.forecasting.bands import RollingBands, day_of
from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.model import FEWEST_ROWS, Forecaster, fit_forecaster
from pipeline.forecasting.observations import Observations, changes_ahead, observations_of
from pipeline.forecasting.rows import RowLayout, forecast_rows, memories_of
from pipeline.timestamps import MICROS_PER_SECOND, to_micros

QUANTILES: Final = (0.1, 0.5, 0.9)
ROW_SPACING_S: Final = 60.0
"""Training rows at most this dense."""
HELD_OUT_DAYS: Final = 56
"""Before T: forecast by a model of the time before them, for the first bands and thresholds."""
_LARGEST_HELD_OUT_SHARE: Final = 0.25


@dataclass(frozen=True)
class Prepared:
    """Rows of a whole series, made once: each rests on the time up to its stamp alone.

    Attributes:
        layout: what the rows are for.
        seen: the observations.
        rows: one per observation.
        change_kw: NL(t + horizon) − NL(t); NaN where unknown.
        stride: of training rows, so that they lie a minute apart or more.
    """

    layout: RowLayout
    seen: Observations
    rows: Floats
    change_kw: Floats
    stride: int = 1

    def known_before(self, moment_us: int) -> Indices:
        """Training rows whose target ends before a moment, at most a minute apart."""
        end = np.searchsorted(self.seen.ts_us, moment_us - self.layout.horizon_us)
        at = np.arange(0, end, self.stride)
        return at[~np.isnan(self.change_kw[at])]

    def fit(self, before_us: int) -> Forecaster:
        """A forecaster of what was known before a moment.

        Raises:
            TrainingError: if that is too little.
        """
        at = self.known_before(before_us)
        return fit_forecaster(self.rows[at], self.change_kw[at], self.seen.ts_us[at], self.layout)


@dataclass(frozen=True)
class WalkForward:
    """What a backtest gave.

    Attributes:
        prepared: the rows that it went through.
        start_us: T.
        at: the observations from T on, as indices.
        bands_kw: quantiles of the change for each of ``at``.
        median_kw: its median.
        ramp_kw: 99th percentile of |change| in the rows known before T.
        held_out_at, held_out_median_kw: the same for the time just before T, by a model of the time before.
        refits: when the models were fitted, in microseconds; the first is T.
        model: the last one.
    """

    prepared: Prepared
    quantiles: tuple[float, ...]
    start_us: int
    at: Indices
    bands_kw: Floats
    median_kw: Floats
    ramp_kw: float
    held_out_at: Indices
    held_out_median_kw: Floats
    refits: tuple[int, ...]
    model: Forecaster


def prepare(series: BaseSeries, *, site_tz: str, horizon_s: float) -> Prepared:
    """Rows and targets of a whole series.

    Args:
        series: the measurements.
        site_tz: IANA time zone of the site's local day.
        horizon_s: how far ahead the change is, in seconds.

    Raises:
        FeatureError: where horizon and cadence do not fit.
    """
    seen = observations_of(series)
    layout = RowLayout(series.cadence_s, horizon_s, site_tz, tuple(seen.components_kw))
    rows = forecast_rows(seen, memories_of(seen, series.cadence_s), np.arange(len(seen)), layout)
    change_kw = changes_ahead(seen, seen.ts_us, horizon_us=layout.horizon_us, cadence_us=layout.cadence_us)
    return Prepared(layout, seen, rows, change_kw, stride=row_stride(series.cadence_s))


def row_stride(cadence_s: float) -> int:
    """Every how many-th observation is a training row."""
    return max(1, round(ROW_SPACING_S / cadence_s))


def held_out_walk(prepared: Prepared, start_us: int, quantiles: Sequence[float]) -> "Walk":
    """Forecasts of the time just before a moment by a model of the time before; none if that is too short."""
    walk = Walk(prepared, RollingBands(quantiles))
    learnt_us = prepared.seen.ts_us[prepared.known_before(start_us)]
    held_out_us = max(start_us - HELD_OUT_DAYS * DAY_US, _late_part(learnt_us))
    if len(prepared.known_before(held_out_us)) >= FEWEST_ROWS:
        walk.go(prepared.fit(held_out_us), held_out_us, start_us)
    return walk


def walk_forward(
    series: BaseSeries,
    *,
    train_until: datetime,
    site_tz: str,
    horizon_s: float = 1800.0,
    refit: timedelta | None = None,
    quantiles: Sequence[float] = QUANTILES,
) -> WalkForward:
    """Forecast every row from T on from what was known at it.

    Args:
        series: the whole series.
        train_until: T; training targets end before it.
        site_tz: IANA time zone of the site's local day.
        horizon_s: how far ahead the change is, in seconds.
        refit: fit anew after so long, on all that is known by then; None fits once.
        quantiles: of the change, ascending.

    Raises:
        BacktestError: if there are no rows from T on, or ``refit`` is under a day.
        TrainingError: if there are too few before T.
        FeatureError: where horizon and cadence do not fit.
    """
    start_us = to_micros(require_utc(train_until, "train_until"))
    if refit is not None and refit < timedelta(days=1):
        raise BacktestError(f"refit: {refit}; give a day or more, e.g. 90d")
    prepared = prepare(series, site_tz=site_tz, horizon_s=horizon_s)
    ts_us = prepared.seen.ts_us
    if not len(ts_us) or ts_us[-1] < start_us:
        raise BacktestError(f"train_until: no rows from {train_until.isoformat()} on; choose an earlier time")
    learnt = prepared.known_before(start_us)
    if len(learnt) < FEWEST_ROWS:
        raise TrainingError(
            f"train_until: {len(learnt)} usable rows before {train_until.isoformat()}, {FEWEST_ROWS} are "
            "needed; choose a later time"
        )
    refits = tuple(_refit_times(start_us, int(ts_us[-1]), refit))
    walk = held_out_walk(prepared, start_us, quantiles)
    before = walk.done
    for begin_us, end_us in zip(refits, (*refits[1:], int(ts_us[-1]) + 1), strict=True):
        model = prepared.fit(begin_us)
        walk.go(model, begin_us, end_us)
    at, bands_kw, median_kw = walk.result()
    return WalkForward(
        prepared=prepared,
        quantiles=tuple(quantiles),
        start_us=start_us,
        at=at[before:],
        bands_kw=bands_kw[before:],
        median_kw=median_kw[before:],
        ramp_kw=float(np.percentile(np.abs(prepared.change_kw[learnt]), 99.0)),
        held_out_at=at[:before],
        held_out_median_kw=median_kw[:before],
        refits=refits,
        model=model,
    )


class Walk:
    """Goes through days in order: bands of a day from forecasts whose targets lay before it.

    Args:
        prepared: the rows.
        bands: what is known before the first of them.
    """

    def __init__(self, prepared: Prepared, bands: RollingBands) -> None:
        self._prepared, self.bands = prepared, bands
        self._at: list[Indices] = []
        self._found: list[Floats] = []
        self._medians: list[Floats] = []
        self.done = 0

    def go(self, model: Forecaster, begin_us: int, end_us: int) -> None:
        """Forecast the rows of [begin, end)."""
        ts_us = self._prepared.seen.ts_us
        at = np.arange(*np.searchsorted(ts_us, [begin_us, end_us]))
        median_kw, spread_kw = model.predict(self._prepared.rows[at])
        for of_day in _days(ts_us[at]):
            self.bands.begin_day(int(day_of(ts_us[at[of_day][:1]])[0]))
            self._found.append(self.bands.bands(median_kw[of_day], spread_kw[of_day]))
            self._record(at[of_day], median_kw[of_day], spread_kw[of_day])
        self._at.append(at)
        self._medians.append(median_kw)
        self.done += len(at)

    def result(self) -> tuple[Indices, Floats, Floats]:
        """All rows so far, their bands and medians."""
        if not self._at:
            quantiles = len(self.bands.quantiles)
            return np.empty(0, dtype=np.intp), np.empty((0, quantiles)), np.empty(0)
        return np.concatenate(self._at), np.concatenate(self._found), np.concatenate(self._medians)

    def _record(self, at: Indices, median_kw: Floats, spread_kw: Floats) -> None:
        """Keep what became of a day's forecasts; the bands read it from the day after the target on."""
        known_us = self._prepared.seen.ts_us[at] + self._prepared.layout.horizon_us
        change_kw = self._prepared.change_kw[at]
        for place in np.flatnonzero(~np.isnan(change_kw)):
            self.bands.record(
                int(known_us[place]),
                change_kw=float(change_kw[place]),
                median_kw=float(median_kw[place]),
                spread_kw=float(spread_kw[place]),
            )


def _days(ts_us: Micros) -> Iterator[slice]:
    """Consecutive rows of one UTC day each."""
    borders = [0, *(np.flatnonzero(np.diff(day_of(ts_us))) + 1).tolist(), len(ts_us)]
    for begin, end in pairwise(borders):
        if end > begin:
            yield slice(begin, end)


def _refit_times(start_us: int, last_us: int, refit: timedelta | None) -> Iterator[int]:
    yield start_us
    if refit is not None:
        step_us = round(refit.total_seconds() * MICROS_PER_SECOND)
        yield from range(start_us + step_us, last_us + 1, step_us)


def _late_part(learnt_us: Micros) -> int:
    """From where on the latest quarter of the training rows lies."""
    return int(learnt_us[int(len(learnt_us) * (1.0 - _LARGEST_HELD_OUT_SHARE))])


def predictions_frame(found: WalkForward, series: BaseSeries) -> pd.DataFrame:
    """One line for every row of the series from T on: ``issued_at``, ``target_at``, ``p…_kw``.

    Blank (NaN) where the net load is missing.
    """
    index = pd.DatetimeIndex(series.frame.index).tz_convert("UTC").as_unit("us")
    issued = index[index.asi8 >= found.start_us]
    bands = np.full((len(issued), len(found.quantiles)), np.nan)
    bands[np.searchsorted(issued.asi8, found.prepared.seen.ts_us[found.at])] = found.bands_kw
    names = [quantile_name(quantile) for quantile in found.quantiles]
    target = issued + pd.Timedelta(microseconds=found.prepared.layout.horizon_us)
    return pd.DataFrame({"issued_at": issued, "target_at": target, **dict(zip(names, bands.T, strict=True))})


def quantile_name(quantile: float) -> str:
    """The column of a quantile: ``p10_kw`` of 0.1, ``p2.5_kw`` of 0.025."""
    return f"p{100 * quantile:g}_kw"
