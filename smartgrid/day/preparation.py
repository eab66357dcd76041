"""What is known before a day begins: model, outlook, limits and prices, all from the rows before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from grid.accounts import DayInput, day_input
from grid.intervals import interval_length_s, interval_means
from grid.series import BaseSeries
from grid.synthetic_prices import PriceModel, with_synthetic_prices
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.learning import learn_detector
from pipeline.forecasting.stream_training import train_stream_model
from pipeline.outlook import fit_outlook
from pipeline.stream_model import StreamModel
from policies.limits import Limits, Scale
from smartgrid.area import Area
from smartgrid.day.scenario import Scenario


@dataclass(frozen=True)
class Knowledge:
    """What training rows taught.

    Attributes:
        model: the in-stream model.
        area: limits at the rows' scale, and the outlook.
        price_model: scale of synthetic prices; None where the file has its own.
        detector: of false data; None where there was too little to learn it from.
    """

    model: StreamModel
    area: Area
    price_model: PriceModel | None
    detector: FittedDetector | None = None

    def save(self, directory: Path) -> None:
        """Save all that processes load into a directory."""
        self.model.save(directory)
        if self.area.outlook is not None:
            self.area.outlook.save(directory)
        if self.detector is not None:
            self.detector.save(directory)


@dataclass(frozen=True)
class PreparedDay:
    """A day that can be run.

    Attributes:
        scenario: the day, its series priced.
        knowledge: from the rows before it.
        price_seed: of synthetic prices.
    """

    scenario: Scenario
    knowledge: Knowledge
    price_seed: int

    @property
    def interval(self) -> timedelta:
        """Length of an interval."""
        return timedelta(seconds=interval_length_s(self.scenario.series.cadence_s))

    def accounts_input(self) -> DayInput:
        """The day as its accounts see it.

        Raises:
            AccountsError: if the day has no net load.
        """
        scenario = self.scenario
        return day_input(
            interval_means(scenario.series),
            scenario.start.astimezone(scenario.tz),
            scenario.end.astimezone(scenario.tz),
            interval_s=self.interval.total_seconds(),
            ramp_limit_kw=self.knowledge.area.limits.ramp_limit_kw,
        )


def learn(
    training: tuple[BaseSeries, ...],
    *,
    tz: str,
    limits: Limits,
    price_seed: int = 0,
    horizons_s: Sequence[float] = (),
) -> Knowledge:
    """Train the model and the outlook, and size the limits, from past series.

    Args:
        training: separate series, or one.
        tz: the site's IANA time zone.
        limits: as the operator wrote them; ``auto`` is resolved here.
        price_seed: of synthetic prices, where the series have none.
        horizons_s: of forecasts on request, beside the stream's 30 minutes.

    Raises:
        TrainingError: if there is too little to learn from.
        PriceModelError: if the rows give no scale for synthetic prices.
    """
    cadence_s = training[0].cadence_s
    model = train_stream_model(training, cadence_s=cadence_s, site_tz=tz, horizons_s=horizons_s)
    price_model = None if _has_prices(training[0]) else _fit_prices(training)
    priced = training
    if price_model is not None:
        priced = tuple(
            with_synthetic_prices(part, price_model, site_tz=tz, price_seed=price_seed) for part in training
        )
    metadata = model.metadata
    scale = Scale(metadata.p99_net_load_kw, metadata.ramp_limit_kw, cadence_s)
    outlook = fit_outlook(priced, site_tz=tz)
    area = Area(limits.resolve(scale), tz, training[0].currency, outlook)
    return Knowledge(model, area, price_model, _detector(training, tz))


def _detector(training: tuple[BaseSeries, ...], tz: str) -> FittedDetector | None:
    """A detector of false data, where the past is long enough for one."""
    try:
        return learn_detector(training, tz)
    except DetectorError:
        return None


def prepare(scenario: Scenario, knowledge: Knowledge, price_seed: int = 0) -> PreparedDay:
    """Price a day's series as its training rows were."""
    series = scenario.series
    if knowledge.price_model is not None:
        series = with_synthetic_prices(
            series, knowledge.price_model, site_tz=scenario.tz.key, price_seed=price_seed
        )
    return PreparedDay(scenario.with_series(series), knowledge, price_seed)


def _has_prices(series: BaseSeries) -> bool:
    return "price_usd_per_mwh" in series.frame


def _fit_prices(training: tuple[BaseSeries, ...]) -> PriceModel:
    means = pd.concat([interval_means(part)["net_load_kw"] for part in training]).sort_index()
    return PriceModel.fit(means[~means.index.duplicated()])
