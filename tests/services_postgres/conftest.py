"""A schema of its own for each test that asks for one."""

from collections.abc import Callable, Iterator

import pytest

from tests.services_postgres.server import own_schemas


@pytest.fixture
def new_schema() -> Iterator[Callable[[], str]]:
    """Makes empty schemas, as URLs."""
    with own_schemas() as fresh:
        yield fresh


@pytest.fixture
def url(new_schema: Callable[[], str]) -> str:
    """An empty schema."""
    return new_schema()
