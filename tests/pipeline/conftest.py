"""A small made-up series and a model of it, shared by the room's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from grid.series import BaseSeries
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train
from smartgrid.testing.days import SITE_TZ, made_up_series

__all__ = ["SITE_TZ", "made_up_series"]


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
