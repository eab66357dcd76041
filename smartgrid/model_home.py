"""Models in a directory: versions, the one in use, and one of the simulated area where there is none."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grid.synthetic import FINE_STEP_S, training_series
from grid.synthetic_prices import PriceModel
from pipeline.errors import ModelError
from pipeline.fdia.fitted import FittedDetector
from pipeline.forecasting.saved import is_trained_forecast
from pipeline.forecasting.stream_forecaster import StreamForecaster, load_stream_model
from pipeline.forecasting.versions import ModelVersions, current_folder
from pipeline.model import METADATA_FILE
from pipeline.outlook import Outlook
from pipeline.stream_model import StreamModel
from policies.limits import load_limits
from smartgrid.day.preparation import Knowledge, learn
from smartgrid.settings import Settings
from smartgrid.simulated_area import TZ


@dataclass(frozen=True)
class Learnt:
    """What the simulated plant runs with."""

    model: StreamModel
    outlook: Outlook
    detector: FittedDetector | None = None

    @property
    def price_model(self) -> PriceModel:
        """The scale of synthetic prices, as the model's training rows gave it."""
        metadata = self.model.metadata
        return PriceModel(metadata.p5_net_load_kw, metadata.p95_net_load_kw, metadata.p97_change_kw)


def load_or_train(settings: Settings) -> Learnt:
    """The model and outlook of the state directory; trained and saved first where there is none.

    Raises:
        ModelError: if there is a model that does not fit the simulated plant's pulses.
    """
    if not has_model(settings.model_dir):
        publish(settings.model_dir, learn(training_series(), tz=TZ, limits=load_limits(settings.limits)))
    folder = current_folder(settings.model_dir)
    model = load_stream_model(folder, cadence_s=FINE_STEP_S)
    return Learnt(model, Outlook.load(folder), FittedDetector.load(folder))


def has_model(directory: Path) -> bool:
    """Whether there is a model in use.

    Raises:
        ModelError: if the pointer to it is damaged.
    """
    return (current_folder(directory) / METADATA_FILE).is_file()


def publish(directory: Path, knowledge: Knowledge) -> str:
    """Save what was learnt as a new version, and put it into use.

    Returns:
        The version's name.

    Raises:
        ModelError: if the pointer is damaged.
    """
    content = knowledge.model.name.rpartition("-")[2]
    return ModelVersions(directory).add(knowledge.save, content_hash=content, now=datetime.now(UTC))


def roll_back(directory: Path) -> str:
    """Put the version back into use that was before; its name.

    Raises:
        ModelError: if there is none.
    """
    return ModelVersions(directory).roll_back()


def metadata_of(folder: Path) -> dict[str, Any]:
    """What the metadata of a model say.

    Raises:
        ModelError: if it cannot be loaded.
    """
    return load_stream_model(folder).metadata.to_dict()


def horizons_of(folder: Path) -> tuple[float, ...]:
    """Horizons in seconds that a model knows beside the stream's; none of one that cannot be read."""
    if not is_trained_forecast(folder):
        return ()
    try:
        model = load_stream_model(folder)
    except ModelError:
        return ()
    if not isinstance(model, StreamForecaster):
        return ()
    known = [item.horizon_s for item in model.trained.metadata.horizons]
    return tuple(horizon_s for horizon_s in known if horizon_s != model.metadata.horizon_s)


def summary_of(folder: Path) -> dict[str, Any]:
    """Rows and time span that a model learnt from, or the problem that it has."""
    try:
        metadata = metadata_of(folder)
    except ModelError as error:
        return {"problem": str(error)}
    return {name: metadata[name] for name in ("rows", "data_start", "data_end", "sha256")}
