"""Shared fixtures."""

import os
from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a run may choose.

    ``--no-skips``: where everything that a test needs is there, a skipped one is a failure.
    """
    parser.addoption("--no-skips", action="store_true", help="fail if any test was skipped")
    parser.addoption("--kills", type=int, default=5, help="how many processes a fault test kills")
    parser.addoption("--fault-seed", type=int, help="repeats a fault test's log and plan; random if unset")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn skips into failures where they are not wanted."""
    report = yield
    if report.skipped and item.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and --no-skips was given: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; tests that need it are skipped where it is not set."""
    named = os.environ.get("SMARTGRID_DATA_DIR")
    if not named:
        pytest.skip("SMARTGRID_DATA_DIR is not set")
    return Path(named)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes a fault test kills."""
    return int(request.config.getoption("--kills"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Of a fault test's log and plan; random where none is given."""
    given = request.config.getoption("--fault-seed")
    return Random().randrange(1_000_000) if given is None else int(given)
