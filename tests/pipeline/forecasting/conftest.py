"""Made-up series whose net load has a daily course, weather and, where asked, components."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from pipeline.forecasting import model

SeriesMaker = Callable[..., BaseSeries]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """A tenth of the trees: what is tested here does not depend on how many there are."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RESIDUAL_TREES", "DIRECT_TREES", "SPREAD_TREES"):
            settings = getattr(model, name)
            patch.setattr(model, name, replace(settings, rounds=settings.rounds // 10))
        yield


@pytest.fixture(scope="session")
def make_series() -> SeriesMaker:
    """A maker of series: days, cadence in seconds, components or not, share of rows left out."""

    def make(
        days: float, cadence_s: float, *, components: bool = True, gaps: float = 0.0, seed: int = 1
    ) -> BaseSeries:
        rng = np.random.default_rng(seed)
        rows = round(days * 86_400 / cadence_s)
        index = pd.date_range(
            "2024-03-01",
            periods=rows,
            freq=pd.Timedelta(seconds=cadence_s),
            tz="UTC",
            unit="us",
            name="ts_utc",
        )
        hours = np.arange(rows) * cadence_s / 3600.0
        rough = rng.normal(0.0, np.sqrt(cadence_s / 900.0), (2, rows)).cumsum(axis=1)
        weather = rough - pd.DataFrame(rough.T).rolling(200, min_periods=1).mean().to_numpy().T
        load = 1000.0 + 250.0 * np.sin(2 * np.pi * (hours - 9) / 24.0) + 4.0 * weather[0]
        solar = 300.0 * np.clip(np.sin(2 * np.pi * (hours - 6.0) / 24.0), 0.0, None)
        wind = 80.0 + 3.0 * weather[1]
        frame = pd.DataFrame({"load_kw": load, "solar_kw": solar, "wind_kw": wind}, index=index)
        frame["net_load_kw"] = load - solar - wind
        if not components:
            frame = frame[["net_load_kw"]]
        return BaseSeries(frame[rng.random(rows) >= gaps], cadence_s)

    return make
