"""The model of the stream benchmark, saved where its workers find it."""

from pathlib import Path

import numpy as np
import xgboost

from pipeline.engine import BATCH_RECORDS
from pipeline.model import QUANTILES, ForecastModel
from pipeline.model_inputs import model_inputs
from pipeline.training import train, training_rows
from smartgrid.bench.stream_load import CADENCE_S, site_days

TREES = 100
"""Of each quantile, as ``train`` counts them."""
ROWS_FILE = "rows.npy"
"""Beside the model: a batch of ready inputs for its trees."""
_DAYS = 10
_SITE_TZ = "UTC"
_SEED = 1


def bench_model(given: Path | None, folder: Path) -> ForecastModel:
    """The model, saved in ``folder``, with ready inputs for the floor beside it.

    Args:
        given: directory of a model; where None, one of 100 trees a quantile is trained on synthetic
            days at a site's size.
        folder: empty.

    Raises:
        ModelError: if the given one cannot be used at 5 s pulses.
    """
    days = site_days(_DAYS)
    if given is None:
        model = train(days, cadence_s=CADENCE_S, site_tz=_SITE_TZ, trees=TREES)
    else:
        model = ForecastModel.load(given, cadence_s=CADENCE_S)
    model.save(folder)
    metadata = model.metadata
    learnt = training_rows(days, cadence_s=CADENCE_S, site_tz=_SITE_TZ, horizon_s=metadata.horizon_s)
    rows = model_inputs(learnt.rows, learnt.net_load_kw, scale_kw=metadata.scale_kw, mean_kw=metadata.mean_kw)
    drawn = np.random.default_rng(_SEED).integers(0, len(rows), BATCH_RECORDS)
    np.save(folder / ROWS_FILE, rows[drawn])
    return model


def bare_trees(folder: Path) -> xgboost.Booster:
    """The saved model's trees without anything around them, on one thread."""
    booster = xgboost.Booster(params={"nthread": 1})
    booster.load_model(next(folder.glob("trees-*.ubj")))
    booster.set_param({"nthread": 1})
    return booster


def tree_count(folder: Path) -> int:
    """Single trees of the saved model, those of all quantiles together."""
    return int(bare_trees(folder).num_boosted_rounds()) * len(QUANTILES)
