"""A small made-up load, and a detector that learnt it."""

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from pipeline.fdia.detector import DetectorModel
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.learning import learn_detector
from pipeline.fdia.regular import RegularSeries

CADENCE_S = 1_800.0
DAYS = 70
TRAINED_DAYS = 49


def made_up_load(days: int = DAYS, cadence_s: float = CADENCE_S, seed: int = 3) -> RegularSeries:
    """A daily and weekly wave with a slow wander and a little noise."""
    rng = np.random.default_rng(seed)
    rows = round(days * 86_400 / cadence_s)
    stamps = pd.date_range(
        "2024-01-01", periods=rows, freq=pd.Timedelta(seconds=cadence_s), tz="UTC", unit="us"
    )
    hours = np.arange(rows) * cadence_s / 3_600
    wander = np.zeros(rows)
    for row in range(1, rows):
        wander[row] = 0.97 * wander[row - 1] + rng.normal(0.0, 4.0)
    wave = 200.0 * np.sin(2 * np.pi * hours / 24) + 30.0 * np.sin(2 * np.pi * hours / 168)
    load = 1_000.0 + wave + wander + rng.normal(0.0, 1.0, rows)
    return RegularSeries(stamps, cadence_s, ("load_kw",), load[None])


@pytest.fixture(scope="session")
def load() -> RegularSeries:
    return made_up_load()


@pytest.fixture(scope="session")
def first(load: RegularSeries) -> int:
    """The first row that was not learnt."""
    return TRAINED_DAYS * 48


@pytest.fixture(scope="session")
def fitted(load: RegularSeries, first: int) -> FittedDetector:
    """Both detectors of the load: with a week behind it, and with an hour."""
    learnt = load.part(0, first)
    frame = pd.DataFrame({"load_kw": learnt.values_kw[0]}, index=learnt.stamps.rename("ts_utc"))
    return learn_detector(BaseSeries(frame, learnt.cadence_s), "UTC")


@pytest.fixture(scope="session")
def model(fitted: FittedDetector) -> DetectorModel:
    assert fitted.full is not None
    return fitted.full
