"""How good a forecast band is, by scikit-learn's metrics."""

import numpy as np
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

from pipeline.arrays import Floats
from pipeline.model import QUANTILES


def band_metrics(band: Floats, change_kw: Floats) -> dict[str, float]:
    """Errors of a band against the changes that came.

    Args:
        band: columns P10, P50, P90 in kW; no NaN.
        change_kw: what came, in kW; no NaN.

    Returns:
        ``mae_kw``, ``rmse_kw``, ``pinball_kw`` (mean over the quantiles), ``coverage`` (share
        inside P10–P90), ``mae_persistence_kw`` and ``skill_persistence`` (1 − MAE / its MAE).
    """
    middle = band[:, 1]
    mae = float(mean_absolute_error(change_kw, middle))
    persistence = float(np.mean(np.abs(change_kw)))
    losses = [mean_pinball_loss(change_kw, band[:, i], alpha=alpha) for i, alpha in enumerate(QUANTILES)]
    inside = (change_kw >= band[:, 0]) & (change_kw <= band[:, 2])
    return {
        "mae_kw": mae,
        "rmse_kw": float(root_mean_squared_error(change_kw, middle)),
        "pinball_kw": float(np.mean(losses)),
        "coverage": float(np.mean(inside)),
        "mae_persistence_kw": persistence,
        "skill_persistence": skill(mae, persistence),
    }


def skill(mae_kw: float, reference_kw: float) -> float:
    """1 − MAE / the reference's MAE; NaN where the reference is perfect."""
    return 1.0 - mae_kw / reference_kw if reference_kw > 0 else float("nan")
