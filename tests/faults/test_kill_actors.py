"""Killed servers and supervisors: no dispatch twice, none lost, and a ledger that says what the plant did."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from dispatch.ledger import Ledger
from dispatch.plant_clock import LedgerClock
from grid.clock import RealClock
from grid.drivers import AssetReadings
from grid.drivers.modbus import ModbusDriver
from grid.drivers.register_map import ModbusSettings
from tests.faults.kill_actors import Operator, Person
from tests.faults.kill_oracle import Findings, judge, table
from tests.faults.kill_roles import Roles

AFTER_THE_DRIVER = "server killed between driver and receipt"
BEFORE_THE_DRIVER = "server killed between intent and driver"
FAULTS = (AFTER_THE_DRIVER, "supervisor killed", "server killed", BEFORE_THE_DRIVER, "both killed")
"""Made in turn, so that five kills have each once."""
LONGEST_REST_S = 2.0


@dataclass
class Faults:
    """Makes them, and counts them."""

    roles: Roles
    random: Random
    done: Counter[str] = field(default_factory=Counter)

    def make(self, what: str) -> None:
        """One fault, and everything running again after it."""
        server, supervisor = self.roles.server, self.roles.supervisor
        if what in (AFTER_THE_DRIVER, BEFORE_THE_DRIVER):
            self._die_at("after" if what == AFTER_THE_DRIVER else "before")
        else:
            threading.Event().wait(self.random.uniform(0.0, LONGEST_REST_S))
            for role in (server, supervisor):
                if what.startswith(("both", role.who)):
                    role.kill()
        self.done[what] += 1
        for role in (server, supervisor):
            if not role.alive:
                role.start()

    def _die_at(self, place: str) -> None:
        """Let the server die by itself at its next change of a setpoint; the client brings one about."""
        self.roles.death.write_text(place, encoding="utf-8")
        self.roles.server.await_death()
        assert not self.roles.death.exists()


@contextmanager
def in_threads(*works: object) -> Iterator[threading.Event]:
    """Let actors act until the event is set; what goes wrong in one of them fails the test."""
    ended, errors = threading.Event(), list[BaseException]()

    def run(work: object) -> None:
        try:
            work.act(lambda: not ended.is_set())  # type: ignore[attr-defined]
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield ended
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=120)
    assert not errors
    assert not any(thread.is_alive() for thread in threads)


def device_of(port: int) -> AssetReadings:
    settings = ModbusSettings.model_validate({"port": port, "timeout_s": 10.0})
    driver = ModbusDriver(settings, RealClock())
    try:
        return driver.read()
    finally:
        driver.close()


@pytest.fixture
def roles(state: Path, tmp_path: Path) -> Iterator[Roles]:
    made = Roles(state, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


def test_killed_servers_and_supervisors_lose_no_dispatch_and_repeat_none(
    roles: Roles, kills: int, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    random, begin_s = Random(seed), time.monotonic()
    with Ledger(roles.state) as ledger:
        clock = LedgerClock(ledger, time.time)
        begin = clock.now()
        person, operator = Person(roles.url, ledger, Random(seed + 1)), Operator(ledger, clock)
        faults = Faults(roles, random)
        with in_threads(operator), in_threads(person):
            for number in range(kills):
                faults.make(FAULTS[number % len(FAULTS)])
        roles.supervisor.end()
        rest(person, operator)
        lasted = f"{clock.now() - begin} of the plant in {time.monotonic() - begin_s:.0f} s, seed {seed}"
        found = judge(ledger, *stopped(roles), person)
        with capsys.disabled():
            sys.stdout.write(table(faults.done, person, operator.approved, found, lasted))
        must_hold(found, person)
        assert found.states["RECONCILED"] >= faults.done[AFTER_THE_DRIVER]
        assert found.states["NOT_APPLIED"] >= faults.done[BEFORE_THE_DRIVER]


def rest(person: Person, operator: Operator) -> None:
    """Bring the battery to rest, so that ledger and device can be compared at any moment."""
    with in_threads(operator):
        person.ask("discharge_battery", 0.0)


def stopped(roles: Roles) -> tuple[AssetReadings, Path]:
    """The device's last readings once the server has ended in order, and the device's log."""
    roles.server.end()
    return device_of(roles.plant_port), roles.plant.log


def must_hold(found: Findings, person: Person) -> None:
    """No dispatch twice, none lost, and a ledger that says what the plant did."""
    assert person.acknowledged
    assert found.written == found.dispatched
    assert found.states["INTENT"] == 0
    assert found.twice == []
    assert found.lost == []
    assert found.soc_kwh[0] == found.soc_kwh[1]
    assert found.audit.endswith("entries")
