"""Why a forecast says what it says: what each feature family adds to its median, in kW.

The forecast's row is computed again from stored telemetry, and the model that made it is asked for
its SHAP contributions (of the linear stage: weight times input). They sum to the median; what the
row cannot reproduce, because an event came too late for the stream, is told as ``unexplained``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import xgboost

from grid.telemetry import Telemetry
from pipeline.arrays import Floats
from pipeline.errors import ModelError
from pipeline.features import LAGS, WINDOWS_S, SiteEvents, feature_rows
from pipeline.forecast import Forecast
from pipeline.forecasting.drivers import UNEXPLAINED, Driver
from pipeline.forecasting.memory import DAYS
from pipeline.forecasting.model import AVERAGE
from pipeline.forecasting.observations import Observations
from pipeline.forecasting.rows import forecast_rows, memories_of
from pipeline.forecasting.saved import TrainedForecast, is_trained_forecast
from pipeline.forecasting.stream_forecaster import COLD_FOLDER, KNOWN_BY, load_stream_model
from pipeline.forecasting.versions import ModelVersions, current_folder
from pipeline.model import METADATA_FILE, ForecastModel
from pipeline.model_inputs import FAMILIES, INPUT_NAMES, model_inputs
from pipeline.store import SeriesReader
from pipeline.timestamps import MICROSECOND, to_micros

_ROUNDING: Final = 1e-3
"""Of the largest contribution: single precision in the trees."""
_SEASONAL: Final = timedelta(days=DAYS, hours=1)
_MORE: Final = "train with 'smartgrid train --horizons' on four weeks in one piece or more"


class ModelExplainer:
    """Explains forecasts by the models in a directory: the one in use, and earlier versions.

    Args:
        directory: of a model, or of versions.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loaded: _Explained | None = None

    def drivers(self, reader: SeriesReader, forecast: Forecast) -> list[Driver]:
        """What drives a forecast, the largest first; they sum to its median.

        Raises:
            ModelError: if the model that made it is not there any more, or its telemetry is not stored.
        """
        found = dict(self._model(forecast.model).contributions(reader, forecast))
        rest_kw = forecast.p50_kw - sum(found.values())
        if abs(rest_kw) > _ROUNDING * max(1.0, *(abs(part) for part in found.values())):
            found[UNEXPLAINED] = rest_kw
        ordered = sorted(found.items(), key=lambda item: -abs(item[1]))
        return [Driver(family, change_kw) for family, change_kw in ordered]

    def at_horizon(self, reader: SeriesReader, forecast: Forecast, horizon: timedelta) -> Forecast:
        """What the model that made a forecast says of another horizon, from the same measurements.

        Raises:
            ModelError: if it was not trained for it, knows too little of the site's last days, is not there
                any more, or its telemetry is not stored.
        """
        return self._model(forecast.model).at_horizon(reader, forecast, horizon)

    def _model(self, name: str) -> "_Explained":
        if self._loaded is not None and self._loaded.name == name:
            return self._loaded
        for folder in self._folders(name):
            if load_stream_model(folder).name == name:
                self._loaded = _Explained(name, folder)
                return self._loaded
        raise ModelError(
            f"model={name!r} made the forecast and is not in {self._directory} any more; "
            "ask again after the next pulse, by the model in use"
        )

    def _folders(self, name: str) -> list[Path]:
        versions = ModelVersions(self._directory)
        content = name.rpartition("-")[2]
        earlier = [versions.folder(version) for version in versions.names() if version.endswith(content)]
        return [*earlier, current_folder(self._directory)]


class _Explained:
    """A model with what explains it: a seasonal forecaster where the site's past is known, and trees."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._seasonal = TrainedForecast.load(folder) if is_trained_forecast(folder) else None
        self._trees = _Trees(folder if self._seasonal is None else folder / COLD_FOLDER)

    def contributions(self, reader: SeriesReader, forecast: Forecast) -> Mapping[str, float]:
        """By feature family, in kW."""
        if self._seasonal is not None:
            horizon_s = (forecast.target_at - forecast.issued_at).total_seconds()
            row = _seasonal_row(self._seasonal, reader, forecast, horizon_s)
            if row is not None:
                found = self._seasonal.forecasters[horizon_s].explain(row)
                return {family: float(part[0]) for family, part in found.items()}
        return self._trees.contributions(reader, forecast)

    def at_horizon(self, reader: SeriesReader, forecast: Forecast, horizon: timedelta) -> Forecast:
        """Of another horizon."""
        minutes, horizon_s = horizon / timedelta(minutes=1), horizon.total_seconds()
        if self._seasonal is None:
            raise ModelError(f"horizon: {minutes:g} min; the model knows 30 min alone; {_MORE}")
        row = _seasonal_row(self._seasonal, reader, forecast, horizon_s)
        if row is None:
            raise ModelError(
                f"horizon: {minutes:g} min; too little is known of the last days of site={forecast.site!r}; "
                "ask for 30 min"
            )
        p10_kw, p50_kw, p90_kw = self._seasonal.predict(row, horizon_s)[0][0].tolist()
        target_at = forecast.issued_at + horizon
        return replace(forecast, target_at=target_at, p10_kw=p10_kw, p50_kw=p50_kw, p90_kw=p90_kw)


class _Trees:
    """A :class:`pipeline.model.ForecastModel` with its trees at hand."""

    def __init__(self, folder: Path) -> None:
        self._metadata = ForecastModel.load(folder).metadata
        self._booster = xgboost.Booster(params={"nthread": 1})
        self._booster.load_model(folder / json.loads((folder / METADATA_FILE).read_bytes())["trees"])

    def contributions(self, reader: SeriesReader, forecast: Forecast) -> dict[str, float]:
        """By feature family, in kW."""
        metadata = self._metadata
        back = timedelta(seconds=max(*WINDOWS_S, (LAGS + 0.5) * metadata.cadence_s) + 1.0)
        pulses = _pulses(reader, forecast, back)
        events = SiteEvents(
            ts_us=np.array([to_micros(pulse.ts_utc) for pulse in pulses]) // 1000 * 1000,
            net_load_kw=_channel(pulses, "net_load_kw"),
            load_kw=_channel(pulses, "load_kw"),
            solar_kw=_channel(pulses, "solar_kw"),
            wind_kw=_channel(pulses, "wind_kw"),
        )
        newest = np.array([len(events) - 1])
        row = feature_rows(events, newest, cadence_s=metadata.cadence_s, site_tz=metadata.site_tz)
        inputs = model_inputs(
            row, events.net_load_kw[newest], scale_kw=metadata.scale_kw, mean_kw=metadata.mean_kw
        )
        data = xgboost.DMatrix(inputs, feature_names=list(INPUT_NAMES), nthread=1)
        parts = np.asarray(self._booster.predict(data, pred_contribs=True), dtype=np.float64)[0]
        middle = parts[np.argsort(parts.sum(axis=1), kind="stable")[1]] * metadata.scale_kw
        by_input = dict(zip((*INPUT_NAMES, AVERAGE), middle.tolist(), strict=True))
        families: Mapping[str, Sequence[str]] = {**FAMILIES, AVERAGE: (AVERAGE,)}
        return {family: sum(by_input[name] for name in names) for family, names in families.items()}


def _seasonal_row(
    model: TrainedForecast, reader: SeriesReader, forecast: Forecast, horizon_s: float
) -> Floats | None:
    """The inputs at a forecast's issue; None where nothing is known of the site's last days."""
    model.metadata.at(horizon_s)
    layout = model.forecasters[horizon_s].layout
    pulses = _pulses(reader, forecast, _SEASONAL)
    seen = Observations(
        np.array([to_micros(pulse.ts_utc) for pulse in pulses]),
        _channel(pulses, "net_load_kw"),
        {name: _channel(pulses, f"{name}_kw") for name in layout.components},
    )
    memories = memories_of(seen, layout.cadence_s)
    row = forecast_rows(seen, memories, np.array([len(seen) - 1]), layout)
    return None if np.isnan(row[0, layout.names.index(KNOWN_BY)]) else row


def _pulses(reader: SeriesReader, forecast: Forecast, back: timedelta) -> list[Telemetry]:
    """What was measured up to the forecast's issue, where there is a net load."""
    issued_at = forecast.issued_at
    found = reader.telemetry(forecast.site, issued_at - back, issued_at + MICROSECOND)
    pulses = [pulse for pulse in found if pulse.net_load_kw is not None]
    if not pulses or pulses[-1].ts_utc != issued_at:
        raise ModelError(
            f"site={forecast.site!r}: its telemetry at {issued_at.isoformat()} is not stored any more, so "
            "the forecast cannot be explained; ask again after the next pulse"
        )
    return pulses


def _channel(pulses: Sequence[Telemetry], name: str) -> Floats:
    return np.array([getattr(pulse, name) for pulse in pulses], dtype=np.float64)
