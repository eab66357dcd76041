"""What drives a forecast, and who can tell: apart from the models, which take long to import."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pipeline.forecast import Forecast
from pipeline.store import SeriesReader

UNEXPLAINED: Final = "unexplained"


@dataclass(frozen=True, slots=True)
class Driver:
    """What a feature family adds.

    Attributes:
        family: such as ``lags``; ``average`` is what holds without any input, ``unexplained`` what
            the stored telemetry does not reproduce.
        change_kw: to the median of the change.
    """

    family: str
    change_kw: float


class Explainer(Protocol):
    """Explains forecasts, and makes those that the stream does not."""

    def drivers(self, reader: SeriesReader, forecast: Forecast) -> list[Driver]:
        """What drives a forecast, the largest first; they sum to its median.

        Raises:
            ModelError: if the model that made it is not there any more, or its telemetry is not stored.
        """
        ...

    def at_horizon(self, reader: SeriesReader, forecast: Forecast, horizon: timedelta) -> Forecast:
        """What the same model says of another horizon, from the same measurements.

        Raises:
            ModelError: if it was not trained for it, or knows too little of the site's last days.
        """
        ...
