"""The plant, the server and the supervisor as processes of their own, which a test kills and starts again."""

import multiprocessing
import threading
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.faults import role_process
from tests.smartgrid import roles

PULSE_S = "0.05"
"""A hundred times faster than life: a market interval takes three seconds."""
SETPOINT_TIMEOUT = "12h"
"""So long that only dispatches change a setpoint: the device's log is then the ledger's mirror."""
LIVES = 40
"""How often a role is started until it stays: its predecessor's lease has to end first."""
END_S = 60.0
_LOOK_AGAIN_S = 0.02

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "tests.faults.role_process",
        "smartgrid.device.serving",
        "smartgrid.embedded_plant",
        "smartgrid.serving",
        "smartgrid.standing_by",
    ]
)
"""What each start would import for seconds is imported once, in the process from which all are forked."""


@dataclass
class Role:
    """A process that is started again after each death.

    Attributes:
        who: what people call it.
        words: of its command.
        ready: what it prints once it works.
        death: the file that makes it kill itself.
        log: where it writes what it says.
    """

    who: str
    words: list[str]
    ready: str
    death: Path
    log: Path
    process: ForkServerProcess | None = None

    def start(self) -> None:
        """Start it until it says that it works."""
        for _ in range(LIVES):
            if self._started():
                return
            threading.Event().wait(role_process.LEASE_S / 10)
        raise AssertionError(f"{self.who}: never ready: {self.log.read_text('utf-8')[-2000:]}")

    def _started(self) -> bool:
        before = self.log.stat().st_size if self.log.exists() else 0
        env = {"SMARTGRID_PULSE_S": PULSE_S, "SMARTGRID_LOG_LEVEL": "INFO"}
        self.process = _FORKS.Process(target=role_process.run, args=(self.words, self.death, self.log, env))
        self.process.start()
        while self.process.is_alive():
            if self.log.exists() and self.ready in self.log.read_text("utf-8")[before:]:
                return True
            threading.Event().wait(_LOOK_AGAIN_S)
        return False

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.is_alive()

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        assert self.process is not None
        self.process.kill()
        self.await_death()

    def await_death(self) -> None:
        """Wait until it has ended."""
        assert self.process is not None
        self.process.join(END_S)
        assert not self.alive, f"{self.who} did not end"

    def end(self) -> None:
        """Tell it to stop, and wait until it has."""
        if self.process is not None and self.alive:
            self.process.terminate()
            self.await_death()


class Roles:
    """The three processes over one state directory."""

    def __init__(self, state: Path, folder: Path) -> None:
        self.state, self.death = state, folder / "death"
        self.http_port, self.plant_port = roles.free_port(), roles.free_port()
        self._folder = folder
        plant = "--port", str(self.plant_port), "--setpoint-timeout", SETPOINT_TIMEOUT
        server = "--port", str(self.http_port), "--modbus", f"127.0.0.1:{self.plant_port}"
        self.plant = self._role("plant", "stop with", "plant", *plant)
        self.server = self._role("server", "stop with", "serve", *server)
        self.supervisor = self._role("supervisor", "supervises", "supervise")

    def _role(self, who: str, ready: str, *words: str) -> Role:
        words = (*words, "--state", str(self.state), "--limits", str(self.state / "limits.yaml"))
        return Role(who, list(words), ready, self.death, self._folder / f"{who}.log")

    @property
    def url(self) -> str:
        """Where MCP is served."""
        return f"http://127.0.0.1:{self.http_port}/mcp"

    def start(self) -> None:
        """Start all, each when what it needs is there."""
        for role in (self.plant, self.server, self.supervisor):
            role.start()

    def end(self) -> None:
        """Stop all."""
        for role in (self.supervisor, self.server, self.plant):
            role.end()
