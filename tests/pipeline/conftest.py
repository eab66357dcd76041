"""A small made-up series and a model of it, shared by the room's tests."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train

SITE_TZ = "Europe/Luxembourg"


def made_up_series(days: float = 4.0, cadence_s: float = 300.0, seed: int = 1) -> BaseSeries:
    """A daily wave with noise; load, solar and wind add up to the net load."""
    rng = np.random.default_rng(seed)
    rows = round(days * 86_400 / cadence_s)
    index = pd.date_range(
        "2024-05-01", periods=rows, freq=pd.Timedelta(seconds=cadence_s), tz="UTC", name="ts_utc", unit="us"
    )
    hours = np.arange(rows) * cadence_s / 3600.0
    load = 1000.0 + 200.0 * np.sin(2 * np.pi * hours / 24.0) + rng.normal(0.0, 8.0, rows)
    solar = 300.0 * np.clip(np.sin(2 * np.pi * (hours - 4.0) / 24.0), 0.0, None)
    wind = 80.0 + np.cumsum(rng.normal(0.0, 1.0, rows)) * 0.3
    frame = pd.DataFrame(
        {"load_kw": load, "solar_kw": solar, "wind_kw": wind, "net_load_kw": load - solar - wind}, index=index
    )
    return BaseSeries(frame, cadence_s)


@pytest.fixture(scope="session")
def series() -> BaseSeries:
    """Four days at five minutes."""
    return made_up_series()


@pytest.fixture(scope="session")
def model(series: BaseSeries) -> ForecastModel:
    """A small model of that series."""
    return train(series, cadence_s=300.0, site_tz=SITE_TZ, trees=10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    with SqliteStore(tmp_path / "telemetry.db") as made:
        yield made
