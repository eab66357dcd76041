"""``smartgrid plant`` as a process of its own, and the executor at the other end of Modbus TCP."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatch.executor import Executor
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.schema import dispatches
from dispatch.service import DispatchService, Observation
from grid.clock import RealClock, SimulatedClock
from grid.drivers import AssetReadings
from grid.drivers.modbus import DeviceUnreachableError, ModbusDriver
from grid.drivers.register_map import ModbusSettings
from policies.principal import RESPONSE
from smartgrid.joined import load_area
from smartgrid.settings import Settings
from tests.smartgrid import roles

PACE = 60.0
"""A pulse of the plant every 83 ms."""
POWER_KW = 1000.0
ENOUGH_LOOKS = 20_000
"""A state that has not come after so many readings does not come."""
CLIENT = """
import sys
from grid.clock import RealClock
from grid.drivers.modbus import ModbusDriver
from grid.drivers.register_map import ModbusSettings
device = {"port": int(sys.argv[1])}
devices = {"battery": device, "peaker": device, "timeout_s": 10.0}
driver = ModbusDriver(ModbusSettings.model_validate(devices), RealClock())
while True:
    driver.apply(float(sys.argv[2]), 0.0)
"""


@pytest.fixture
def state(trained: Path, tmp_path: Path) -> Path:
    """A state directory that holds a model already."""
    made = tmp_path / "state"
    shutil.copytree(trained, made / "model")
    return made


@pytest.fixture
def port() -> int:
    return roles.free_port()


@contextmanager
def plant(state: Path, port: int, setpoint_timeout: str = "4h") -> Iterator[subprocess.Popen[str]]:
    """``smartgrid plant`` once it listens."""
    arguments = ["--state", str(state), "--port", str(port), "--pace", str(PACE)]
    process = subprocess.Popen(
        [roles.command(), "plant", *arguments, "--setpoint-timeout", setpoint_timeout],
        stdout=subprocess.PIPE,
        text=True,
        env=roles.environment(),
    )
    try:
        roles.Speaking(process).say("stop with Ctrl-C")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def driver_of(port: int) -> ModbusDriver:
    device = {"port": port}
    settings = {"battery": device, "peaker": device, "first_retry_s": 0.01, "longest_retry_s": 0.02}
    return ModbusDriver(ModbusSettings.model_validate(settings | {"timeout_s": 10.0}), RealClock())


def look_until(driver: ModbusDriver, holds: Callable[[AssetReadings], bool]) -> AssetReadings:
    for _ in range(ENOUGH_LOOKS):
        readings = driver.read()
        if holds(readings):
            return readings
    raise AssertionError(f"never came to be; the last readings: {readings}")


class Desk:
    """The owner's side: ledger, service, and the executor on a Modbus driver."""

    def __init__(self, state: Path, port: int) -> None:
        self.driver = driver_of(port)
        self.limits = load_area(Settings(state=state, kafka=None, influx_url=None)).limits
        self.clock = SimulatedClock(self.driver.read().ts_utc)
        self.ledger = Ledger(state)
        lease = Lease(self.ledger, "owner", lambda: 0.0)
        assert lease.acquire()
        seen = Observation(telemetry_age_s=0.0, trust=1.0, price_usd_per_mwh=30.0)
        self.service = DispatchService(self.ledger, self.limits, self.clock, lambda: seen, UTC)
        self.executor = Executor(
            self.ledger, self.driver, lease, self.limits, self.clock, price=lambda: 30.0, zone=UTC
        )
        self.executor.reconcile()

    def discharge(self, power_kw: float) -> None:
        arguments = {"power_kw": power_kw, "duration_s": 3600.0, "idempotency_key": None}
        outcome = self.service.propose(
            principal=RESPONSE,
            tool="dispatch_battery",
            arguments=arguments,
            asset="battery",
            power_kw=power_kw,
            duration_s=3600.0,
            reason="a test",
            lower_kw=None,
            upper_kw=None,
            event_id=None,
            idempotency_key=None,
        )
        assert outcome.status == "accepted"

    def states(self) -> list[tuple[float, str]]:
        """Power asked of the battery, and what became of it, of each dispatch."""
        with self.ledger.reading() as connection:
            found = connection.execute(
                select(dispatches.c.battery_kw, dispatches.c.state).order_by(dispatches.c.id)
            )
            return [(row.battery_kw, row.state) for row in found]


@pytest.fixture
def desk_on() -> Iterator[Callable[[Path, int], Desk]]:
    desks: list[Desk] = []

    def make(state: Path, port: int) -> Desk:
        desks.append(Desk(state, port))
        return desks[-1]

    yield make
    for desk in desks:
        desk.driver.close()
        desk.ledger.close()


DeskOn = Callable[[Path, int], Desk]


def test_the_executor_dispatches_a_plant_in_another_process(state: Path, port: int, desk_on: DeskOn) -> None:
    with plant(state, port) as process:
        desk = desk_on(state, port)
        before = desk.driver.read().battery
        assert before.soc_kwh == desk.limits.battery.initial_state().soc_kwh
        desk.discharge(POWER_KW)
        assert desk.executor.tick().setpoints.battery_kw == POWER_KW
        felt = look_until(desk.driver, lambda now: now.battery.discharged_kwh > 0).battery
        assert felt.power_kw == POWER_KW
        assert felt.soc_kwh < before.soc_kwh
        assert desk.states() == [(POWER_KW, "APPLIED")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_a_plant_killed_between_intent_and_effect_is_a_typed_error_and_its_dispatch_is_done_after_it_is_back(
    state: Path, port: int, desk_on: DeskOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plant(state, port) as process:
        desk = desk_on(state, port)
        desk.discharge(POWER_KW)
        apply = desk.driver.apply

        def killed_first(battery_kw: float, peaker_kw: float) -> None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
            apply(battery_kw, peaker_kw)

        monkeypatch.setattr(desk.driver, "apply", killed_first)
        with pytest.raises(DeviceUnreachableError, match=f"127.0.0.1:{port}: writing unit 1.*no connection"):
            desk.executor.tick()
        monkeypatch.undo()
        assert desk.states() == [(POWER_KW, "INTENT")]
        with pytest.raises(DeviceUnreachableError):
            desk.executor.tick()
        assert desk.states() == [(POWER_KW, "INTENT")]
    with plant(state, port):
        assert desk.driver.read().battery_setpoint_kw == 0.0
        desk.executor.tick()
        assert desk.driver.read().battery_setpoint_kw == POWER_KW
        assert desk.states() == [(POWER_KW, "NOT_APPLIED"), (POWER_KW, "APPLIED")]
        look_until(desk.driver, lambda now: now.battery.power_kw == POWER_KW)
        desk.executor.tick()
        assert len(desk.states()) == 2


def test_a_plant_whose_client_was_killed_goes_to_its_safe_state(state: Path, port: int) -> None:
    with plant(state, port, setpoint_timeout="60s"):
        driver = driver_of(port)
        client = subprocess.Popen([sys.executable, "-c", CLIENT, str(port), str(POWER_KW)])
        try:
            look_until(driver, lambda now: now.battery.power_kw == POWER_KW)
        finally:
            client.kill()
            client.wait(timeout=30)
        safe = look_until(driver, lambda now: now.battery.power_kw == 0.0)
        assert safe.battery_setpoint_kw == 0.0
        assert safe.battery.discharged_kwh > POWER_KW * 55 / 3600
        driver.close()
