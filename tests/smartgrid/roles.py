"""Starts the roles as a user does: the installed command, in processes of their own."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PULSE_S = "0.1"
"""Fifty times faster than life: a plant's interval takes six seconds."""


def command() -> str:
    """The installed ``smartgrid`` beside this interpreter."""
    found = shutil.which("smartgrid", path=str(Path(sys.executable).parent))
    assert found is not None, "install the project: make .venv/.ready"
    return found


def environment(**more: str) -> dict[str, str]:
    """A clean environment: nothing but what a role needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    return {**kept, "SMARTGRID_PULSE_S": PULSE_S, **more}


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def up(state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """``smartgrid up`` until it says that it serves; its MCP address and process id."""
    port = free_port()
    process = subprocess.Popen(
        [command(), "up", "--state", str(state), "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(env or environment()),
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("stop with"):
                break
        else:
            raise AssertionError(f"up ended with {process.wait()}: {''.join(said)}")
        yield f"http://127.0.0.1:{port}/mcp", process.pid
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@dataclass(frozen=True)
class Speaking:
    """A role that prints what it does."""

    process: subprocess.Popen[str]

    def say(self, text: str) -> None:
        """Read on until a line holds ``text``."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if text in line:
                return
        raise AssertionError(f"ended without saying {text!r}: {''.join(said)}")


@contextmanager
def supervise(state: Path) -> Iterator[Speaking]:
    """``smartgrid supervise`` until the context ends."""
    process = subprocess.Popen(
        [command(), "supervise", "--state", str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        yield Speaking(process)
    finally:
        process.kill()
        process.communicate(timeout=30)


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [command(), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=dict(env or environment()),
    )
