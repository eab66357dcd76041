"""The forecaster in the stream: it speaks where a site's last days are known, a plain model elsewhere."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.arrays import Floats
from pipeline.errors import ModelError
from pipeline.features import LAGS, ROLLING_AT
from pipeline.fixed_point import to_kw, to_quanta
from pipeline.forecasting.rows import NetNow, calendar_columns, net_columns
from pipeline.forecasting.saved import TrainedForecast, is_trained_forecast
from pipeline.forecasting.seasonal_memory import SeasonalNeed
from pipeline.forecasting.versions import current_folder
from pipeline.model import QUANTILES, ForecastModel, ModelMetadata
from pipeline.stream_model import FeatureBatch, StreamModel

COLD_FOLDER: Final = "cold"
KNOWN_BY: Final = "ahead_mean_7d_kw"
"""The input without which a site's last days are not known."""


@dataclass(frozen=True)
class StreamForecaster:
    """A :class:`pipeline.stream_model.StreamModel` of seasonal inputs.

    Attributes:
        trained: the forecaster; of net load alone, for the stream keeps no other channel's past.
        cold: forecasts sites of whose last days nothing is known.

    Raises:
        ModelError: if the two do not belong together, or the stream cannot feed them.
    """

    trained: TrainedForecast
    cold: ForecastModel

    def __post_init__(self) -> None:
        ours, colds = self.trained.metadata, self.cold.metadata
        if (ours.cadence_s, ours.site_tz) != (colds.cadence_s, colds.site_tz):
            raise ModelError(
                f"cadence_s, site_tz: the forecaster's {ours.cadence_s:g} s in {ours.site_tz} are not "
                f"those of the model for unknown sites, {colds.cadence_s:g} s in {colds.site_tz}; train again"
            )
        if ours.components or ours.quantiles != QUANTILES:
            raise ModelError(
                f"components={ours.components}, quantiles={ours.quantiles}: a stream forecasts {QUANTILES} "
                "from net load alone; train again with 'smartgrid train'"
            )
        ours.at(colds.horizon_s)

    @property
    def metadata(self) -> ModelMetadata:
        """Of the plain model; both learnt from the same rows."""
        return self.cold.metadata

    @property
    def name(self) -> str:
        """How forecasts name their model."""
        both = f"{self.trained.metadata.sha256}{self.cold.metadata.sha256}"
        return f"xgboost-{hashlib.sha256(both.encode()).hexdigest()[:12]}"

    @property
    def seasonal(self) -> SeasonalNeed:
        """What seasonal inputs it asks for."""
        return SeasonalNeed(self.metadata.cadence_s, self.metadata.horizon_s)

    def require_cadence(self, cadence_s: float) -> None:
        """Refuse a stream of another cadence.

        Raises:
            ModelError: if ``cadence_s`` is not the one that it was trained at.
        """
        self.cold.require_cadence(cadence_s)

    def bands_kw(self, batch: FeatureBatch) -> Floats:
        """Columns P10, P50, P90 of the change in kW, in order in each row."""
        known = ~np.isnan(batch.seasonal[:, self.seasonal.names.index(KNOWN_BY)])
        if known.all():
            return self._by_season(batch, known)
        bands_kw = np.empty((len(batch), len(QUANTILES)))
        bands_kw[~known] = self.cold.predict(batch.rows[~known], batch.net_load_kw[~known])
        if known.any():
            bands_kw[known] = self._by_season(batch, known)
        return bands_kw

    def importance_by_family(self) -> Mapping[str, float]:
        """Each feature family's share of the trees' total gain; they sum to 1."""
        return self.trained.importance_by_family()

    def save(self, directory: Path) -> None:
        """Write both into a directory."""
        self.cold.save(directory / COLD_FOLDER)
        self.trained.save(directory)

    def _by_season(self, batch: FeatureBatch, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
        level_kw = to_kw(to_quanta(batch.net_load_kw))
        now = NetNow(
            batch.ts_us,
            level_kw,
            batch.rows[:, :LAGS],
            batch.rows[:, ROLLING_AT],
            batch.rows[:, ROLLING_AT + 2],
            batch.change_kw,
        )
        seasonal = dict(zip(self.seasonal.names, batch.seasonal.T, strict=True))
        columns = net_columns(now, seasonal, _calendar(batch))
        rows = np.column_stack([column for found in columns.values() for column in found.values()])
        return self.trained.predict(rows[known], self.metadata.horizon_s)[0]


def _calendar(batch: FeatureBatch) -> Mapping[str, Floats]:
    """Each event's place in its site's day, week and year."""
    if len(batch.time_zones) == 1:
        return calendar_columns(batch.ts_us, batch.time_zones[0][0])
    found: dict[str, Floats] = {}
    for zone, places in batch.time_zones:
        for name, values in calendar_columns(batch.ts_us[places], zone).items():
            found.setdefault(name, np.empty(len(batch)))[places] = values
    return found


def load_stream_model(directory: Path, *, cadence_s: float | None = None) -> StreamModel:
    """The model in use in a directory, of either kind.

    Args:
        directory: of one model, or of versions.
        cadence_s: the stream's cadence in seconds; a model of another one is refused.

    Raises:
        ModelError: if it is not there, damaged, or does not fit this program or cadence.
    """
    folder = current_folder(directory)
    if not is_trained_forecast(folder):
        return ForecastModel.load(folder, cadence_s=cadence_s)
    cold = ForecastModel.load(folder / COLD_FOLDER, cadence_s=cadence_s)
    return StreamForecaster(TrainedForecast.load(folder, cadence_s=cadence_s), cold)
