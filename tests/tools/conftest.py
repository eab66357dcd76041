"""The tools as plain functions over a small area from its real parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.small_grid import SmallGrid


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[SmallGrid]:
    """An area in which nothing has been measured yet."""
    made = SmallGrid(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def plant(grid: SmallGrid) -> SmallGrid:
    """The same after two hours of running unattended."""
    return grid.start()
