"""Training: past series → a forecast of one or more horizons with calibrated bands."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import numpy as np

from grid.series import BaseSeries
from pipeline.arrays import Floats
from pipeline.errors import TrainingError
from pipeline.forecasting.bands import BandState
from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.model import Forecaster
from pipeline.forecasting.observations import Observations, changes_ahead, observations_of
from pipeline.forecasting.rows import RowLayout, forecast_rows, memories_of
from pipeline.forecasting.saved import ForecastMetadata, HorizonMetadata, TrainedForecast
from pipeline.forecasting.walk_forward import QUANTILES, Prepared, Walk, held_out_walk, row_stride
from pipeline.timestamps import from_micros
from pipeline.training import series_scales

MAIN_HORIZON_S: Final = 1800.0


def train_forecast(
    series: BaseSeries | Sequence[BaseSeries],
    *,
    site_tz: str,
    horizons_s: Sequence[float] = (MAIN_HORIZON_S,),
    quantiles: Sequence[float] = QUANTILES,
) -> TrainedForecast:
    """Fit forecasters on all that there is; calibrate their bands on its last part, forecast from before it.

    Args:
        series: one series, or several separate ones of one cadence, such as single days; no row
            or target crosses from one to another.
        site_tz: the site's IANA time zone.
        horizons_s: how far ahead, in seconds, each from the cadence to 4 h.
        quantiles: of the bands, ascending.

    Raises:
        TrainingError: if there is too little to learn from, or the series differ in cadence or channels.
        FeatureError: where a horizon does not fit the cadence.
    """
    parts = [series] if isinstance(series, BaseSeries) else list(series)
    forecasters: dict[float, Forecaster] = {}
    bands: dict[float, BandState] = {}
    metadata: list[HorizonMetadata] = []
    seen_us: list[int] = []
    for horizon_s in sorted(horizons_s):
        prepared = prepare_parts(parts, site_tz=site_tz, horizon_s=horizon_s)
        ts_us = prepared.seen.ts_us[~np.isnan(prepared.change_kw)]
        end_us = int(prepared.seen.ts_us[-1]) + prepared.layout.horizon_us + 1
        forecaster = prepared.fit(end_us)
        walk = held_out_walk(prepared, end_us, quantiles)
        walk.bands.begin_day(end_us // DAY_US + 1)
        forecasters[horizon_s], bands[horizon_s] = forecaster, walk.bands.state()
        metadata.append(
            HorizonMetadata(
                horizon_s, forecaster.scale_kw, forecaster.ramp_kw, forecaster.rows, _metrics(prepared, walk)
            )
        )
        seen_us += [int(ts_us[0]), int(ts_us[-1])]
    return TrainedForecast.of(
        ForecastMetadata(
            features=prepared.layout.names,
            cadence_s=prepared.layout.cadence_s,
            site_tz=site_tz,
            components=prepared.layout.components,
            quantiles=tuple(quantiles),
            horizons=tuple(metadata),
            data_start=from_micros(min(seen_us)).isoformat(),
            data_end=from_micros(max(seen_us)).isoformat(),
            rows=max(item.rows for item in metadata),
            **asdict(series_scales(parts)),
        ),
        forecasters,
        bands,
    )


def prepare_parts(series: Sequence[BaseSeries], *, site_tz: str, horizon_s: float) -> Prepared:
    """Training rows of separate series in the order of time, a minute apart or more.

    Raises:
        TrainingError: if there are none, or they differ in cadence or channels.
        FeatureError: where horizon and cadence do not fit.
    """
    parts = [_thin_rows(part, site_tz=site_tz, horizon_s=horizon_s) for part in series]
    if not sum(len(part.seen) for part in parts):
        raise TrainingError("net_load_kw: no value at all; give a series with net load")
    layouts = {part.layout for part in parts}
    if len(layouts) > 1:
        raise TrainingError(
            f"series: they differ in cadence or channels ({len(layouts)} kinds); give series of one kind"
        )
    (layout,) = layouts
    ts_us = np.concatenate([part.seen.ts_us for part in parts])
    order = np.argsort(ts_us, kind="stable")
    level_kw = np.concatenate([part.seen.net_load_kw for part in parts])
    return Prepared(
        layout,
        Observations(ts_us[order], level_kw[order], {}),
        np.concatenate([part.rows for part in parts])[order],
        np.concatenate([part.change_kw for part in parts])[order],
    )


def _thin_rows(series: BaseSeries, *, site_tz: str, horizon_s: float) -> Prepared:
    """As :func:`pipeline.forecasting.walk_forward.prepare`, training rows only: at 5 s a twelfth."""
    seen = observations_of(series)
    layout = RowLayout(series.cadence_s, horizon_s, site_tz, tuple(seen.components_kw))
    at = np.arange(0, len(seen), row_stride(series.cadence_s))
    ahead_kw = changes_ahead(seen, seen.ts_us[at], horizon_us=layout.horizon_us, cadence_us=layout.cadence_us)
    thin = Observations(seen.ts_us[at], seen.net_load_kw[at], {})
    return Prepared(
        layout, thin, forecast_rows(seen, memories_of(seen, series.cadence_s), at, layout), ahead_kw
    )


def _metrics(prepared: Prepared, walk: Walk) -> dict[str, float]:
    """How the held-out part was forecast; empty where there was none."""
    at, bands_kw, median_kw = walk.result()
    known = ~np.isnan(prepared.change_kw[at])
    if not known.any():
        return {}
    change_kw = prepared.change_kw[at][known]
    mae_kw, persistence_kw = _mean_size(change_kw - median_kw[known]), _mean_size(change_kw)
    low_kw, high_kw = bands_kw[known, 0], bands_kw[known, -1]
    found = {
        "rows": float(len(change_kw)),
        "mae_kw": mae_kw,
        "mae_persistence_kw": persistence_kw,
        "coverage": float(np.mean((change_kw >= low_kw) & (change_kw <= high_kw))),
    }
    return {**found, "skill_persistence": 1.0 - mae_kw / persistence_kw} if persistence_kw > 0 else found


def _mean_size(values_kw: Floats) -> float:
    return float(np.mean(np.abs(values_kw)))
