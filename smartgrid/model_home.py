"""The model in the state directory: loaded, or trained on the simulated area's days where there is none."""

from dataclasses import dataclass

from grid.synthetic import FINE_STEP_S, training_series
from grid.synthetic_prices import PriceModel
from pipeline.model import METADATA_FILE, ForecastModel
from pipeline.outlook import Outlook
from policies.limits import load_limits
from smartgrid.day.preparation import learn
from smartgrid.settings import Settings
from smartgrid.simulated_area import TZ


@dataclass(frozen=True)
class Learnt:
    """What the simulated plant runs with."""

    model: ForecastModel
    outlook: Outlook

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
    if not (settings.model_dir / METADATA_FILE).is_file():
        learn(training_series(), tz=TZ, limits=load_limits(settings.limits)).save(settings.model_dir)
    model = ForecastModel.load(settings.model_dir, cadence_s=FINE_STEP_S)
    return Learnt(model, Outlook.load(settings.model_dir))
