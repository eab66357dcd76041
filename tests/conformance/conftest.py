"""Our server as processes of its own, and the programs that ``make conformance`` has installed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVER = str(Path(__file__).with_name("conformance_server.py"))
PROGRAM_PATIENCE_S = 60.0

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Served:
    """Our server over HTTP.

    Attributes:
        url: its address.
        state: the directory in which another process finds its plant.
    """

    url: str
    state: str


@pytest.fixture(scope="session")
def over_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = str(tmp_path_factory.mktemp("conformance"))
    with subprocess.Popen(
        [sys.executable, SERVER, "http", state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Served(process.stdout.readline().strip(), state)
        try:
            process.communicate(timeout=PROGRAM_PATIENCE_S)  # it ends with its standard input
        finally:
            process.kill()


@pytest.fixture(scope="session")
def run(repository: Path) -> Run:
    """Runs an installed program on the Node that came with it."""
    programs = repository / ".node" / "node_modules" / ".bin"
    assert programs.is_dir(), "the programs are not installed; run: make conformance"
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}

    def run_it(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(programs / program), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROGRAM_PATIENCE_S,
            check=False,
        )

    return run_it
