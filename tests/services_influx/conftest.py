"""A bucket of its own for each test that asks for one."""

from collections.abc import Iterator

import pytest

from pipeline.influx_store import InfluxStore
from pipeline.influx_target import InfluxTarget
from tests.services_influx.server import own_bucket


@pytest.fixture
def target() -> Iterator[InfluxTarget]:
    """An empty bucket."""
    with own_bucket() as target:
        yield target


@pytest.fixture
def store(target: InfluxTarget) -> Iterator[InfluxStore]:
    """A store in an empty bucket."""
    with InfluxStore(target) as store:
        yield store
