"""Simulated days at 15-minute pulses: the whole chain in a few seconds."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.synthetic import training_series
from policies.limits import load_limits
from smartgrid.day.preparation import Knowledge, PreparedDay, learn, prepare
from smartgrid.day.result import DayResult
from smartgrid.day.runner import run_day
from smartgrid.day.scenario import Scenario, synthetic_scenario
from smartgrid.simulated_area import TZ

CADENCE_S = 900.0
SEED = 203


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return synthetic_scenario(SEED, CADENCE_S)


@pytest.fixture(scope="session")
def knowledge(scenario: Scenario) -> Knowledge:
    return learn(scenario.training, tz=scenario.tz.key, limits=load_limits(None))


@pytest.fixture(scope="session")
def prepared(scenario: Scenario, knowledge: Knowledge) -> PreparedDay:
    return prepare(scenario, knowledge)


@pytest.fixture(scope="session")
def day_folder(prepared: PreparedDay, tmp_path_factory: pytest.TempPathFactory) -> tuple[DayResult, Path]:
    """A day that has been run, and the folder of its ledger and store."""
    folder = tmp_path_factory.mktemp("day")
    return asyncio.run(run_day(prepared, folder)), folder


@pytest.fixture
def run(tmp_path: Path) -> Callable[[PreparedDay], DayResult]:
    """Runs a day in a fresh folder."""
    return lambda day: asyncio.run(run_day(day, tmp_path / "day-state"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and outlook as ``up`` trains them at its first start."""
    folder = tmp_path_factory.mktemp("trained")
    learn(training_series(), tz=TZ, limits=load_limits(None)).save(folder)
    return folder
