"""Roles beside the plant's owner: they meet it in the ledger and the store, and nowhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from dispatch.plant_clock import LedgerClock, plant_clock_of
from pipeline.fdia.fitted import FittedDetector
from pipeline.forecasting.explain import ModelExplainer
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.forecasting.versions import current_folder
from pipeline.outlook import Outlook
from pipeline.stream_model import StreamModel
from policies.limits import Scale, load_limits
from smartgrid.area import Area, Workplace
from smartgrid.console_link import console_address
from smartgrid.judging import judged
from smartgrid.ledger_access import open_ledger
from smartgrid.regulation import RegulationLibrary
from smartgrid.series_store import series_reader
from smartgrid.settings import Settings
from tools.intervals import interval_start
from tools.registry import discover_tools


def area_of(settings: Settings, model: StreamModel, outlook: Outlook) -> Area:
    """The area at the scale of the model that it runs with.

    Raises:
        LimitsError: if the limits file cannot be used.
    """
    metadata = model.metadata
    scale = Scale(metadata.p99_net_load_kw, metadata.ramp_limit_kw, metadata.cadence_s)
    limits = load_limits(settings.limits).resolve(scale)
    return Area(limits, metadata.site_tz, settings.currency, outlook, ModelExplainer(settings.model_dir))


def load_area(settings: Settings) -> Area:
    """The area of the model in the state directory.

    Raises:
        ModelError: if there is no model, or it does not fit this program.
        LimitsError: if the limits file cannot be used.
    """
    folder = current_folder(settings.model_dir)
    return area_of(settings, load_stream_model(folder), Outlook.load(folder))


@contextmanager
def join(settings: Settings) -> Iterator[Workplace]:
    """A workplace beside the owner: reads what it writes, and proposes through the ledger.

    Raises:
        RoleError: if no plant has run here.
        SettingsError, LedgerError, StoreError, ModelError, LimitsError: if a part of the state is of no use.
    """
    with open_ledger(settings) as ledger:
        clock = LedgerClock(ledger, time.time)
        clock.now()  # an error where no plant has ticked yet
        area = load_area(settings)
        with series_reader(settings) as reader:
            yield Workplace(
                area,
                ledger=ledger,
                reader=judged(reader, FittedDetector.load(current_folder(settings.model_dir))),
                clock=clock,
                tools=discover_tools().tools,
                knowledge=RegulationLibrary(settings.state),
                console=partial(console_address, settings),
            )


def plant_interval_start(workplace: Workplace) -> datetime | None:
    """Start of the interval that the plant's owner has come to; None before its first tick."""
    with workplace.ledger.reading() as connection:
        reading = plant_clock_of(connection)
    return None if reading is None else interval_start(reading.plant, workplace.area.limits.interval_s)
