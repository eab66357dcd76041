"""Training: feature rows and targets of past series → a forecast model."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from grid.intervals import change_30min, interval_means
from grid.series import BaseSeries
from grid.units import RAMP_WINDOW_S
from pipeline.arrays import Floats, Micros
from pipeline.errors import TrainingError
from pipeline.features import FEATURE_NAMES, events_of, feature_rows, nearest, values_at
from pipeline.model import QUANTILES, ForecastModel, ModelMetadata, stretch
from pipeline.model_inputs import INPUT_NAMES, model_inputs
from pipeline.timestamps import MICROS_PER_SECOND, from_micros

TREES: Final = 120
ROW_SPACING_S: Final = 60.0
"""Training rows at most this dense: at 5 s every 12th event, from the full series' windows."""
VALIDATION_SHARE: Final = 0.2
FEWEST_ROWS: Final = 50
BAND_COVERAGE: Final = 0.8
_SEED: Final = 7


@dataclass(frozen=True)
class TrainingRows:
    """Feature rows with their targets, in the order of time.

    Attributes:
        ts_us: event times.
        rows: feature rows.
        net_load_kw: NL(t).
        change_kw: NL(t + horizon) − NL(t).
    """

    ts_us: Micros
    rows: Floats
    net_load_kw: Floats
    change_kw: Floats

    def part(self, keep: slice) -> "TrainingRows":
        """Some of the rows."""
        return TrainingRows(self.ts_us[keep], self.rows[keep], self.net_load_kw[keep], self.change_kw[keep])


def train(
    series: BaseSeries | Sequence[BaseSeries],
    *,
    cadence_s: float,
    site_tz: str,
    horizon_s: float = float(RAMP_WINDOW_S),
    trees: int = TREES,
) -> ForecastModel:
    """Fit a model of the net-load change.

    The last fifth of the rows is held back first: on it the metrics are measured and the band is
    stretched until it holds 80 % of the changes (split conformal). The trees are then fitted on
    all rows.

    Args:
        series: one series, or several separate ones such as single days; no window or target
            crosses from one to another, or a gap within one.
        cadence_s: nominal seconds between pulses.
        site_tz: the site's IANA time zone.
        horizon_s: how far ahead the change is.
        trees: boosting rounds, for each quantile.

    Raises:
        TrainingError: if there are fewer than 50 rows with a target, or the net load never changes.
    """
    parts = [series] if isinstance(series, BaseSeries) else list(series)
    learnt = training_rows(parts, cadence_s=cadence_s, site_tz=site_tz, horizon_s=horizon_s)
    scale_kw = float(np.std(learnt.change_kw))
    if not scale_kw > 0.0:
        raise TrainingError("net_load_kw: it never changes over the horizon; give data that vary")
    mean_kw = float(np.mean(learnt.net_load_kw))
    cut = round(len(learnt.ts_us) * (1.0 - VALIDATION_SHARE))
    held_back_from = int(
        np.searchsorted(learnt.ts_us, learnt.ts_us[cut] - round(horizon_s * MICROS_PER_SECOND))
    )
    early, late = learnt.part(slice(0, max(1, held_back_from))), learnt.part(slice(cut, None))
    first = _fit(early, scale_kw=scale_kw, mean_kw=mean_kw, trees=trees)
    band = _predict(first, late, scale_kw=scale_kw, mean_kw=mean_kw)
    factor = _band_factor(band, late.change_kw)
    booster = _fit(learnt, scale_kw=scale_kw, mean_kw=mean_kw, trees=trees)
    metadata = ModelMetadata(
        features=FEATURE_NAMES,
        cadence_s=cadence_s,
        horizon_s=horizon_s,
        site_tz=site_tz,
        quantiles=QUANTILES,
        data_start=from_micros(int(learnt.ts_us[0])).isoformat(),
        data_end=from_micros(int(learnt.ts_us[-1])).isoformat(),
        rows=len(learnt.ts_us),
        scale_kw=scale_kw,
        mean_kw=mean_kw,
        band_factor=factor,
        **asdict(series_scales(parts)),
        metrics=_validation_metrics(band, stretch(band, factor), late.change_kw),
    )
    return ForecastModel(booster, metadata)


@dataclass(frozen=True)
class SeriesScales:
    """Sizes of past series, for limits, assets and synthetic prices; a model's metadata hold them.

    Attributes:
        ramp_limit_kw: 90th percentile of |30-minute change| of the intervals.
        p99_net_load_kw: 99th percentile of their |net load|.
        p5_net_load_kw, p95_net_load_kw: percentiles of their net load.
        p97_change_kw: 97th percentile of their |30-minute change|.
        largest_kw: largest solar and wind power by channel, of the channels that were there.
    """

    ramp_limit_kw: float
    p99_net_load_kw: float
    p5_net_load_kw: float
    p95_net_load_kw: float
    p97_change_kw: float
    largest_kw: dict[str, float]


def series_scales(series: Sequence[BaseSeries]) -> SeriesScales:
    """The sizes of some series.

    Raises:
        TrainingError: if no two intervals lie 30 minutes apart.
    """
    interval_kw, change_kw = _intervals(series)
    return SeriesScales(
        ramp_limit_kw=_percentile(change_kw, 90.0),
        p99_net_load_kw=_percentile(np.abs(interval_kw), 99.0),
        p5_net_load_kw=_percentile(interval_kw, 5.0),
        p95_net_load_kw=_percentile(interval_kw, 95.0),
        p97_change_kw=_percentile(change_kw, 97.0),
        largest_kw=_largest(series),
    )


def training_rows(
    series: Sequence[BaseSeries], *, cadence_s: float, site_tz: str, horizon_s: float
) -> TrainingRows:
    """The rows of some series that have a target, a minute apart or more, in the order of time.

    Raises:
        TrainingError: if there are too few.
    """
    found = [_rows_of(part, cadence_s=cadence_s, site_tz=site_tz, horizon_s=horizon_s) for part in series]
    count = sum(len(part.ts_us) for part in found)
    if count < FEWEST_ROWS:
        raise TrainingError(
            f"net_load_kw: {count} rows have a value {horizon_s / 60:g} minutes later, at least "
            f"{FEWEST_ROWS} are needed; give a longer series"
        )
    ts_us = np.concatenate([part.ts_us for part in found])
    order = np.argsort(ts_us, kind="stable")
    return TrainingRows(
        ts_us=ts_us[order],
        rows=np.concatenate([part.rows for part in found])[order],
        net_load_kw=np.concatenate([part.net_load_kw for part in found])[order],
        change_kw=np.concatenate([part.change_kw for part in found])[order],
    )


def _rows_of(series: BaseSeries, *, cadence_s: float, site_tz: str, horizon_s: float) -> TrainingRows:
    events = events_of(series)
    stride = max(1, round(ROW_SPACING_S / cadence_s))
    at = np.arange(0, len(events), stride)
    half_cadence_us = round(cadence_s * MICROS_PER_SECOND) // 2
    targets_at = nearest(
        events.ts_us, events.ts_us[at] + round(horizon_s * MICROS_PER_SECOND), half_cadence_us
    )
    at, targets_at = at[targets_at >= 0], targets_at[targets_at >= 0]
    level_kw = events.net_load_kw[at]
    return TrainingRows(
        ts_us=events.ts_us[at],
        rows=feature_rows(events, at, cadence_s=cadence_s, site_tz=site_tz),
        net_load_kw=level_kw,
        change_kw=values_at(events.net_load_kw, targets_at) - level_kw,
    )


def _fit(learnt: TrainingRows, *, scale_kw: float, mean_kw: float, trees: int) -> xgboost.Booster:
    inputs = model_inputs(learnt.rows, learnt.net_load_kw, scale_kw=scale_kw, mean_kw=mean_kw)
    data = xgboost.QuantileDMatrix(
        inputs, label=learnt.change_kw / scale_kw, feature_names=list(INPUT_NAMES), max_bin=64, nthread=1
    )
    parameters = {
        "objective": "reg:quantileerror",
        "quantile_alpha": list(QUANTILES),
        "tree_method": "hist",
        "max_bin": 64,
        "max_depth": 5,
        "learning_rate": 0.08,
        "min_child_weight": 20,
        "subsample": 0.7,
        "colsample_bytree": 0.8,
        "nthread": 1,
        "seed": _SEED,
    }
    return xgboost.train(parameters, data, num_boost_round=trees)


def _predict(booster: xgboost.Booster, late: TrainingRows, *, scale_kw: float, mean_kw: float) -> Floats:
    inputs = model_inputs(late.rows, late.net_load_kw, scale_kw=scale_kw, mean_kw=mean_kw)
    raw = np.asarray(booster.inplace_predict(inputs, missing=np.nan), dtype=np.float64)
    return np.asarray(np.sort(raw, axis=1) * scale_kw)


def _band_factor(band: Floats, change_kw: Floats) -> float:
    """The factor on the band's half widths that makes it hold 80 % of the changes."""
    off = change_kw - band[:, 1]
    half_width = np.where(off > 0, band[:, 2] - band[:, 1], band[:, 1] - band[:, 0])
    narrowest = 1e-3 * max(float(np.mean(band[:, 2] - band[:, 0])), 1e-9)
    needed = np.abs(off) / np.maximum(half_width, narrowest)
    return float(np.quantile(needed, BAND_COVERAGE, method="higher"))


def _intervals(series: Sequence[BaseSeries]) -> tuple[Floats, Floats]:
    """Net load and |30-minute change| of the training intervals, for limits, sizes and synthetic prices."""
    joined = pd.concat([interval_means(part)["net_load_kw"] for part in series]).sort_index()
    means = joined[~joined.index.duplicated()]
    changes = change_30min(means).dropna()
    if len(changes) == 0:
        raise TrainingError("net_load_kw: no two intervals lie 30 minutes apart; give a longer series")
    return means.dropna().to_numpy(dtype=np.float64), np.abs(changes.to_numpy(dtype=np.float64))


def _largest(series: Sequence[BaseSeries]) -> dict[str, float]:
    """Largest solar and wind power of the channels that hold any."""
    found = {
        name: max(float(part.frame[name].max()) for part in series if name in part.frame)
        for name in ("solar_kw", "wind_kw")
        if any(name in part.frame for part in series)
    }
    return {name: largest for name, largest in found.items() if math.isfinite(largest)}


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent))


def _validation_metrics(band: Floats, stretched: Floats, change_kw: Floats) -> dict[str, float]:
    from pipeline.metrics import band_metrics  # noqa: PLC0415 - scikit-learn is slow to import; only training needs it

    return {**band_metrics(stretched, change_kw), "coverage_before_stretching": _coverage(band, change_kw)}


def _coverage(band: Floats, change_kw: Floats) -> float:
    return float(np.mean((change_kw >= band[:, 0]) & (change_kw <= band[:, 2])))
