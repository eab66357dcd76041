"""The model of the stream benchmark, saved where its workers find it, and its bare trees."""

from pathlib import Path

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from grid.series import BaseSeries
from pipeline.arrays import Floats
from pipeline.engine import BATCH_RECORDS
from pipeline.forecasting.observations import observations_of
from pipeline.forecasting.rows import forecast_rows, memories_of
from pipeline.forecasting.stream_forecaster import StreamForecaster, load_stream_model
from pipeline.forecasting.training import train_forecast
from pipeline.model import ForecastModel
from pipeline.model_inputs import model_inputs
from pipeline.stream_model import StreamModel
from pipeline.training import train, training_rows
from smartgrid.bench.stream_load import CADENCE_S, site_days
from smartgrid.bench.stream_worker import BenchError

TREES = 100
"""Of each quantile, as ``train`` counts them."""
ROWS_FILE = "rows.npy"
"""Beside the model: a batch of ready inputs for its trees."""
_DAYS = 10
_FORECASTER_DAYS = 16
_FIRST_DAY = pd.Timestamp("2026-01-01", tz="UTC")
_SITE_TZ = "UTC"
_SEED = 1


def bench_model(given: Path | None, folder: Path, *, forecaster: bool) -> ForecastModel:
    """The model, saved in ``folder``, with ready inputs for the floor beside it.

    Args:
        given: directory of a model; where None, one is trained on synthetic days at a site's size.
        folder: empty.
        forecaster: train the forecaster of seasonal inputs, not one of 100 trees a quantile alone.

    Returns:
        The plain model; a forecaster's is the one that it has for unknown sites.

    Raises:
        ModelError: if the given one cannot be used at 5 s pulses.
    """
    model = _trained(forecaster) if given is None else load_stream_model(given, cadence_s=CADENCE_S)
    model.save(folder)
    if isinstance(model, StreamForecaster):
        np.save(folder / ROWS_FILE, _drawn(_forecaster_inputs(model)))
        return model.cold
    if not isinstance(model, ForecastModel):
        raise BenchError(f"--model {given}: {model.name} is of no kind that has a floor; train a model anew")
    metadata = model.metadata
    learnt = training_rows(
        site_days(_DAYS), cadence_s=CADENCE_S, site_tz=_SITE_TZ, horizon_s=metadata.horizon_s
    )
    inputs = model_inputs(
        learnt.rows, learnt.net_load_kw, scale_kw=metadata.scale_kw, mean_kw=metadata.mean_kw
    )
    np.save(folder / ROWS_FILE, _drawn(inputs))
    return model


class BareTrees:
    """The saved model's trees without anything around them, on one thread, and ready inputs.

    Args:
        folder: of the model.
    """

    def __init__(self, folder: Path) -> None:
        rows = np.load(folder / ROWS_FILE)
        self._parts = []
        for file in sorted(folder.glob("*.ubj")):
            booster = xgboost.Booster(params={"nthread": 1})
            booster.load_model(file)
            booster.set_param({"nthread": 1})
            self._parts.append((booster, np.ascontiguousarray(rows[:, : booster.num_features()])))

    def bands(self, count: int) -> Floats:
        """What the trees say of so many rows, three columns."""
        found = [booster.inplace_predict(rows[:count], missing=np.nan) for booster, rows in self._parts]
        return np.asarray(found[0]) if len(found) == 1 else np.column_stack(found)

    def __len__(self) -> int:
        """Single trees."""
        return sum(len(booster.get_dump()) for booster, _ in self._parts)


def _trained(forecaster: bool) -> StreamModel:
    plain = train(site_days(_DAYS), cadence_s=CADENCE_S, site_tz=_SITE_TZ, trees=TREES)
    if not forecaster:
        return plain
    trained = train_forecast(one_piece(_FORECASTER_DAYS), site_tz=_SITE_TZ)
    return StreamForecaster(trained, plain)


def _forecaster_inputs(model: StreamForecaster) -> NDArray[np.float32]:
    forecaster = model.trained.forecasters[model.metadata.horizon_s]
    seen = observations_of(one_piece(_FORECASTER_DAYS))
    last_day = np.arange(len(seen) - round(86_400 / CADENCE_S), len(seen))
    return forecaster.tree_inputs(
        forecast_rows(seen, memories_of(seen, CADENCE_S), last_day, forecaster.layout)
    )


def one_piece(days: int) -> BaseSeries:
    """Synthetic days at a site's size, one after the other; net load alone."""
    frames = []
    for number, day in enumerate(site_days(days)):
        frame = day.frame[["net_load_kw"]]
        begin = _FIRST_DAY + pd.Timedelta(days=number)
        index = pd.date_range(begin, periods=len(frame), freq=f"{CADENCE_S:g}s", unit="us", name="ts_utc")
        frames.append(frame.set_index(index))
    whole = pd.concat(frames)
    return BaseSeries(whole[~whole.index.duplicated()].sort_index(), CADENCE_S)


def _drawn(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows[np.random.default_rng(_SEED).integers(0, len(rows), BATCH_RECORDS)]
