"""A reader at two terminals: one types and waits, the other runs the roles that go on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer

from tests.docs.snippets import Run

LONGEST_S = 30.0
"""For a block of lines, on a machine that has nothing else to do; a busy one gets four times as long."""
DONE = "--- the lines have ended ---"
KEPT_OUT = {"demo-report", "build", "dist"}


def clone(repository: Path, folder: Path) -> Path:
    """A folder that looks like the clone, environment included, and may be written to."""
    folder.mkdir()
    for entry in repository.iterdir():
        if not entry.name.startswith(".") and entry.name not in KEPT_OUT:
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def newcomer(home: Path, **settings: str) -> dict[str, str]:
    """The environment of somebody who has not activated anything, with a home of their own."""
    home.mkdir()
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != own)
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **settings}


class Reader:
    """Types the blocks of a page into one shell; starts roles beside it.

    Args:
        folder: where the reader is.
        environment: of every process.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._shell = self._start(["bash", "-e", "-o", "pipefail"])
        self._roles = ExitStack()

    def follow(self, run: Run) -> str:
        """Type a block; what was said until its lines ended, or until the role was ready.

        Raises:
            AssertionError: when a line failed, a role ended, or it took too long.
        """
        if run.stop_first:
            self._roles.close()
        if run.until is None:
            return self._said(self._shell, DONE, f"{run.lines}\necho '{DONE}'\n")
        role = self._roles.enter_context(self._role(run.lines.strip()))
        return self._said(role, run.until)

    def leave(self) -> None:
        """Press Ctrl-C where a role runs, and close the terminals."""
        try:
            self._roles.close()
        finally:
            self._shell.communicate(timeout=LONGEST_S)

    @contextmanager
    def _role(self, line: str) -> Iterator[subprocess.Popen[str]]:
        role = self._start(["bash", "-c", f"exec {line}"])
        try:
            yield role
            role.send_signal(signal.SIGINT)
            said, _ = role.communicate(timeout=4 * LONGEST_S)
            assert role.returncode == 0, said
        finally:
            role.kill()

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _said(self, process: subprocess.Popen[str], until: str, typed: str = "") -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(typed)
        process.stdin.flush()
        said: list[str] = []
        limit = Timer(4 * LONGEST_S, process.kill)
        limit.start()
        try:
            for line in process.stdout:
                if until in line:
                    return "".join(said)
                said.append(line)
        finally:
            limit.cancel()
        raise AssertionError(f"ended with {process.wait()} and did not say {until!r}:\n{''.join(said)}")
