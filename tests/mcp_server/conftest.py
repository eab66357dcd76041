"""The server over a small area from its real parts, for clients of both protocol eras."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mcp_server.calling import WISH
from tests.tools.small_grid import SmallGrid

MODES = ("auto", "legacy")
"""With a session and a handshake before every other call (legacy), and without (auto: the newest)."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def quiet_plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGrid]:
    """The same, shared by tests whose calls change nothing."""
    made = SmallGrid(tmp_path_factory.mktemp("quiet")).start()
    yield made
    made.close()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[SmallGrid]:
    """An area after two hours of running unattended."""
    made = SmallGrid(tmp_path / "state").start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def acted_plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGrid]:
    """An area in which the battery was discharged once; shared by tests whose calls change nothing."""
    made = SmallGrid(tmp_path_factory.mktemp("acted")).start()
    made.ask("discharge_battery", **WISH)
    made.advance()
    yield made
    made.close()
