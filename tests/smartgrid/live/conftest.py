"""One reader for all tests of a worker: gridstatus takes seconds to import."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import Event

import pandas as pd
import pytest

from smartgrid.live.reader import Reader, open_reader
from tests.smartgrid.live.operators import NOT_FOUND, Operators, make_environment
from tests.smartgrid.live.recorded import CAISO_FILE, CENTRAL, ERCOT_FILE, PACIFIC, read_day

CAISO_DAY = date(2019, 9, 26)
ERCOT_DAY = date(2021, 2, 14)


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operators]:
    make_environment()
    with Operators(tmp_path_factory.mktemp("operators")).serving() as made:
        yield made


@pytest.fixture(scope="session")
def session_reader(serving: Operators) -> Iterator[Reader]:
    with open_reader(Event(), gap_s=0.0, environment=serving.environment) as made:
        yield made


@pytest.fixture
def operators(serving: Operators) -> Iterator[Operators]:
    """Servers that know nothing yet."""
    serving.asked.clear()
    yield serving
    serving.answers = lambda _: NOT_FOUND


@pytest.fixture
def reader(session_reader: Reader, operators: Operators) -> Reader:
    """Of those servers."""
    return session_reader


@pytest.fixture(scope="session")
def caiso_rows(data_dir: Path) -> pd.DataFrame:
    return read_day(data_dir / CAISO_FILE, CAISO_DAY, PACIFIC)


@pytest.fixture(scope="session")
def ercot_rows(data_dir: Path) -> pd.DataFrame:
    return read_day(data_dir / ERCOT_FILE, ERCOT_DAY, CENTRAL)
