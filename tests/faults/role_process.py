"""A role as ``smartgrid`` starts it, but with leases that end soon, and with places where it dies.

Once the file ``death`` is there, the process kills itself at the next change of a setpoint, ``before`` the
device gets it or ``after``, as the file says.
"""

import os
import signal
import sys
from pathlib import Path

import smartgrid.process_lease
from grid.drivers.modbus import ModbusDriver
from smartgrid.cli import main

LEASE_S = 2.0
"""So that the process that follows a killed one need not wait for long."""


def run(words: list[str], death: Path, log: Path, env: dict[str, str]) -> None:
    """Be ``smartgrid WORDS…`` until told to end; what it says goes to ``log``."""
    os.environ.update(env)
    with log.open("ab") as said:
        os.dup2(said.fileno(), sys.__stdout__.fileno())  # type: ignore[union-attr]
        os.dup2(said.fileno(), sys.__stderr__.fileno())  # type: ignore[union-attr]
    smartgrid.process_lease.LEASE_S = LEASE_S
    die_when_told(death)
    sys.argv = ["smartgrid", *words]
    main()


def die_when_told(death: Path) -> None:
    """Let the driver look for the file at each change of a setpoint."""
    apply = ModbusDriver.apply
    last: list[tuple[float, float]] = []

    def deadly(self: ModbusDriver, battery_kw: float, peaker_kw: float) -> None:
        changes = bool(last) and last[-1] != (battery_kw, peaker_kw)
        last[:] = [(battery_kw, peaker_kw)]
        place = death.read_text("utf-8") if changes and death.exists() else ""
        if place == "before":
            die(death)
        apply(self, battery_kw, peaker_kw)
        if place == "after":
            die(death)

    ModbusDriver.apply = deadly  # type: ignore[method-assign]


def die(death: Path) -> None:
    """As a power cut does it: nothing is flushed, closed or given back."""
    death.unlink()
    os.kill(os.getpid(), signal.SIGKILL)
