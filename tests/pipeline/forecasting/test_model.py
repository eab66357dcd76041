"""The forecaster's median: cautious in calm times, decided near a ramp."""

import numpy as np

from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.model import fit_forecaster
from pipeline.forecasting.rows import RowLayout

LAYOUT = RowLayout(900.0, 1800.0, "UTC", ())
CADENCE_US = 900_000_000


def test_what_may_become_a_ramp_is_called_one_though_less_than_half_of_it_does() -> None:
    rng = np.random.default_rng(5)
    count = 28 * DAY_US // CADENCE_US
    warned = rng.random(count) < 0.05
    rows = np.repeat(np.where(warned, 100.0, 0.0)[:, None], len(LAYOUT.names), axis=1)
    ramps = warned & (rng.random(count) < 0.4)
    change_kw = np.where(ramps, 1000.0, rng.normal(0.0, 10.0, count))
    forecaster = fit_forecaster(rows, change_kw, np.arange(count) * CADENCE_US, LAYOUT)
    median_kw, _ = forecaster.predict(rows)
    assert np.all(median_kw[warned] > 0.3 * forecaster.ramp_kw)
    assert np.all(np.abs(median_kw[~warned]) < 20.0)
