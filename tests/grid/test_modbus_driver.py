"""The driver against devices of another make: integers, low word first, two units, over real TCP."""

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from grid.assets import BatteryState, PeakerState
from grid.clock import SimulatedClock
from grid.drivers import Driver, MeterReadings
from grid.drivers.modbus import (
    DeviceRefusedError,
    DeviceUnreachableError,
    ModbusDriver,
    StaleReadingError,
    WriteNotVerifiedError,
)
from grid.drivers.register_map import ModbusSettings, points_of
from grid.drivers.registers import RegisterError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BATTERY = {
    "setpoint_kw": {"address": 100, "kind": "int16", "scale": -0.1},
    "power_kw": {"address": 0, "kind": "int32", "scale": -0.001, "table": "input"},
    "soc_kwh": {"address": 2, "kind": "uint16", "scale": 20.0, "table": "input", "missing": 65535},
    "charged_kwh": {"address": 3, "kind": "uint32", "table": "input"},
    "discharged_kwh": {"address": 5, "kind": "uint32", "table": "input"},
    "cell_discharged_kwh": {"address": 5, "kind": "uint32", "scale": 1.25, "table": "input"},
}
PEAKER = {
    "setpoint_kw": {"address": 100, "kind": "float32"},
    "power_kw": {"address": 300, "kind": "float32"},
    "on": {"address": 310, "kind": "uint16"},
    "starts": {"address": 311, "kind": "uint32"},
    "generated_kwh": {"address": 313, "kind": "uint64", "scale": 0.1},
}
VALUES = {
    "battery.setpoint_kw": 0.0,
    "battery.power_kw": -250.125,
    "battery.soc_kwh": 1200.0,
    "battery.charged_kwh": 70_000.0,
    "battery.discharged_kwh": 80_000.0,
    "peaker.setpoint_kw": 400.0,
    "peaker.power_kw": 390.5,
    "peaker.on": 1.0,
    "peaker.starts": 17.0,
    "peaker.generated_kwh": 123_456.5,
}


T = TypeVar("T")


class Devices:
    """Two units behind one address, served from a thread of its own."""

    def __init__(self, port: int = 0) -> None:
        self.words: dict[tuple[int, str, int], int] = {}
        self.refusal: ExcCodes | None = None
        self.largest_word: int | None = None
        self.asked = 0
        self.loop = asyncio.new_event_loop()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._server = self.do(self._listen(port))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    async def _listen(self, port: int) -> ModbusTcpServer:
        units = [
            SimDevice(
                unit, SimData(0, values=[0] * 400, datatype=DataType.REGISTERS), action=self._answers(unit)
            )
            for unit in (3, 4)
        ]
        server = ModbusTcpServer(units, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        return server

    @property
    def port(self) -> int:
        listening: Any = self._server.transport
        return int(listening.sockets[0].getsockname()[1])

    def _answers(self, unit: int) -> Any:
        async def answer(
            code: int, _start: int, address: int, count: int, registers: list[int], written: Any
        ) -> ExcCodes | None:
            self.asked += 1
            await self.may_answer.wait()
            if self.refusal is not None:
                return self.refusal
            table = "input" if code == 4 else "holding"
            for number, word in enumerate(written or ()):
                kept = word if self.largest_word is None else min(word, self.largest_word)
                self.words[unit, table, address + number] = kept
            for at in range(address, address + count):
                registers[at] = self.words.get((unit, table, at), 0)
            return None

        return answer

    def hold(self, settings: ModbusSettings, values: dict[str, float]) -> None:
        """Let the registers hold these values."""
        for point in points_of(settings):
            if point.name in values:
                _, _, unit, table = point.source
                for number, word in enumerate(point.encode(values[point.name])):
                    self.words[unit, table, point.register.address + number] = word

    def keep_silent(self, silent: bool = True) -> None:
        change = self.may_answer.clear if silent else self.may_answer.set
        self.loop.call_soon_threadsafe(change)

    def hang_up(self) -> None:
        """Close the connections, as devices do that heard nothing for a while."""

        async def close() -> None:
            for connection in list(self._server.active_connections.values()):
                connection.transport.close()

        self.do(close())

    def close(self) -> None:
        async def stop() -> None:
            self.may_answer.set()
            await self._server.shutdown()  # type: ignore[no-untyped-call]

        self.do(stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=30)
        self.loop.close()


def settings_for(port: int, **more: Any) -> ModbusSettings:
    own = {"port": port, "word_order": "little"}
    return ModbusSettings.model_validate(
        {
            "battery": {**own, "unit": 3, "registers": BATTERY | more.pop("battery", {})},
            "peaker": {**own, "unit": 4, "registers": PEAKER | more.pop("peaker", {})},
            **more,
        }
    )


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def devices() -> Iterator[Devices]:
    made = Devices()
    made.hold(settings_for(made.port), VALUES)
    yield made
    made.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def connect(seconds: Seconds) -> Iterator[Callable[..., ModbusDriver]]:
    drivers: list[ModbusDriver] = []

    def make(port: int, **more: Any) -> ModbusDriver:
        drivers.append(ModbusDriver(settings_for(port, **more), SimulatedClock(NOW), seconds))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()


Connect = Callable[..., ModbusDriver]


def test_readings_are_what_the_registers_hold_in_scale_sign_and_order(
    devices: Devices, connect: Connect
) -> None:
    driver: Driver = connect(devices.port)
    readings = driver.read()
    assert readings.ts_utc == NOW
    assert readings.battery == BatteryState(
        soc_kwh=1200.0,
        power_kw=-250.125,
        charged_kwh=70_000.0,
        discharged_kwh=80_000.0,
        cell_discharged_kwh=100_000.0,
    )
    assert readings.peaker == PeakerState(
        power_kw=390.5, on=True, in_state_s=0.0, starts=17, generated_kwh=123_456.5
    )
    assert (readings.battery_setpoint_kw, readings.peaker_setpoint_kw) == (0.0, 400.0)


def test_neighbouring_registers_are_read_by_one_request(devices: Devices, connect: Connect) -> None:
    driver = connect(devices.port)
    driver.read()
    # Unit 3: inputs 0 to 6, holding 100. Unit 4: holding 100, 300 and 310 to 316.
    assert devices.asked == 5


def test_a_positive_setpoint_injects_whatever_sign_the_device_has(devices: Devices, connect: Connect) -> None:
    driver = connect(devices.port)
    driver.apply(500.0, 390.5)
    assert devices.words[3, "holding", 100] == 0x10000 - 5000
    readings = driver.read()
    assert (readings.battery_setpoint_kw, readings.peaker_setpoint_kw) == (500.0, 390.5)


def test_a_setpoint_that_reads_back_as_another_is_an_error(devices: Devices, connect: Connect) -> None:
    driver = connect(devices.port)
    devices.largest_word = 3000
    with pytest.raises(
        WriteNotVerifiedError, match=r"battery\.setpoint_kw: asked for -500 kW, reads back -300"
    ):
        driver.apply(-500.0, 0.0)


def test_a_setpoint_that_does_not_fit_writes_neither(devices: Devices, connect: Connect) -> None:
    driver = connect(devices.port)
    for wrong in ((4000.0, 100.0), (100.0, float("nan"))):
        with pytest.raises(RegisterError, match="setpoint_kw"):
            driver.apply(*wrong)
    assert devices.asked == 0


def test_an_address_that_the_device_has_not_says_which_and_what_to_do(
    devices: Devices, connect: Connect
) -> None:
    driver = connect(devices.port, battery={"soc_kwh": {"address": 5000, "kind": "uint16"}})
    with pytest.raises(
        DeviceRefusedError, match=r"unit 3, holding registers 5000 to 5000.*illegal address.*map"
    ):
        driver.read()


def test_a_device_that_refuses_a_write_is_no_success(devices: Devices, connect: Connect) -> None:
    driver = connect(devices.port)
    devices.refusal = ExcCodes.DEVICE_BUSY
    with pytest.raises(DeviceRefusedError, match=r"writing unit 3.*device busy"):
        driver.apply(100.0, 0.0)


def test_a_value_that_the_device_has_not_measured_yields_no_readings(
    devices: Devices, connect: Connect
) -> None:
    driver = connect(devices.port)
    devices.words[3, "input", 2] = 65535
    with pytest.raises(RegisterError, match=r"battery\.soc_kwh: register 2 holds no value"):
        driver.read()


def test_a_silent_device_is_an_error_and_its_late_answer_is_never_taken(
    devices: Devices, connect: Connect, seconds: Seconds
) -> None:
    driver = connect(devices.port, timeout_s=0.1)
    assert driver.read().battery.soc_kwh == 1200.0
    devices.keep_silent()
    with pytest.raises(DeviceUnreachableError, match=r"no usable answer within 0\.1 s"):
        driver.read()
    devices.keep_silent(False)
    seconds.now_s += 1
    devices.hold(settings_for(devices.port), {"battery.soc_kwh": 1000.0})
    assert driver.read().battery.soc_kwh == 1000.0


def test_a_connection_that_the_device_closed_while_idle_is_made_anew(
    devices: Devices, connect: Connect
) -> None:
    driver = connect(devices.port)
    driver.read()
    devices.hang_up()
    driver.apply(100.0, 400.0)
    devices.hang_up()
    assert driver.read().battery_setpoint_kw == 100.0


def test_a_device_that_is_away_is_asked_less_and_less_often_until_it_is_back(
    connect: Connect, seconds: Seconds
) -> None:
    gone = Devices()
    port = gone.port
    gone.close()
    driver = connect(port, longest_retry_s=3.0)
    for rest_s in (0.5, 1.0, 2.0, 3.0, 3.0):
        with pytest.raises(DeviceUnreachableError, match=f"127.0.0.1:{port}: .*no connection; see that"):
            driver.read()
        with pytest.raises(DeviceUnreachableError, match=f"tried again in {rest_s:.1f} s"):
            driver.read()
        seconds.now_s += rest_s
    back = Devices(port)
    back.hold(settings_for(port), VALUES)
    try:
        assert driver.read().battery.soc_kwh == 1200.0
        back.hang_up()
    finally:
        back.close()
    with pytest.raises(DeviceUnreachableError):
        driver.read()
    with pytest.raises(DeviceUnreachableError, match=r"tried again in 0\.5 s"):
        driver.apply(0.0, 0.0)


CLOCKS = {asset: {"clock_s": {"address": 320, "kind": "uint32"}} for asset in ("battery", "peaker")}


def test_readings_carry_the_older_time_of_the_devices_own_clocks(devices: Devices, connect: Connect) -> None:
    driver = connect(devices.port, **CLOCKS)
    times = {"battery.clock_s": NOW.timestamp() + 7, "peaker.clock_s": NOW.timestamp() + 5}
    devices.hold(settings_for(devices.port, **CLOCKS), times)
    assert driver.read().ts_utc.timestamp() == NOW.timestamp() + 5


def test_a_device_whose_clock_stands_still_is_not_believed(
    devices: Devices, connect: Connect, seconds: Seconds
) -> None:
    driver = connect(devices.port, **CLOCKS, stale_after_s=20.0)
    settings = settings_for(devices.port, **CLOCKS)
    devices.hold(settings, {"battery.clock_s": 1000.0, "peaker.clock_s": 1000.0})
    driver.read()
    seconds.now_s += 20
    driver.read()
    devices.hold(settings, {"battery.clock_s": 1020.0})
    seconds.now_s += 1
    with pytest.raises(StaleReadingError, match=r"peaker\.clock_s = 1000 has stood for 21 s"):
        driver.read()
    devices.hold(settings, {"battery.clock_s": 1021.0, "peaker.clock_s": 1021.0})
    assert driver.read().ts_utc.timestamp() == 1021.0


def test_time_in_state_is_counted_from_when_the_state_was_first_seen(devices: Devices) -> None:
    clock, settings = SimulatedClock(NOW), settings_for(devices.port)
    driver = ModbusDriver(settings, clock)
    assert driver.read().peaker.in_state_s == 0.0
    clock.advance(90)
    assert driver.read().peaker.in_state_s == 90.0
    devices.hold(settings, {"peaker.on": 0.0})
    clock.advance(10)
    off = driver.read().peaker
    assert (off.on, off.in_state_s) == (False, 0.0)
    driver.close()


def test_what_was_taken_is_what_reads_back_in_the_registers_own_steps(
    devices: Devices, connect: Connect
) -> None:
    driver = connect(devices.port)
    driver.apply(123.456, 77.7777777)
    readings = driver.read()
    taken = readings.battery_setpoint_kw, readings.peaker_setpoint_kw
    assert driver.taken_kw(123.456, 77.7777777) == taken
    assert taken[0] == pytest.approx(123.4)
    assert taken[1] == pytest.approx(77.7777777, rel=1e-6)
    assert taken[1] != 77.7777777
    assert math.isnan(driver.taken_kw(1e9, 0.0)[0])


def test_assets_and_meter_are_read_of_one_moment_and_no_meter_is_none(
    devices: Devices, connect: Connect
) -> None:
    meter = {"port": devices.port, "unit": 4, "registers": {"net_load_kw": {"address": 200, "kind": "int32"}}}
    assert connect(devices.port).look()[1] is None
    driver = connect(devices.port, meter=meter)
    devices.words[4, "holding", 200], devices.words[4, "holding", 201] = 0, 41_000
    readings, metered = driver.look()
    assert readings == driver.read()
    assert metered == MeterReadings(41_000.0)


def test_a_meter_that_is_silent_stops_no_asset(devices: Devices, connect: Connect) -> None:
    registers = {"net_load_kw": {"address": 7, "kind": "int32"}}
    driver = connect(devices.port, meter={"port": 1, "registers": registers})
    driver.apply(100.0, 0.0)
    assert driver.read().battery_setpoint_kw == pytest.approx(100.0)
    with pytest.raises(DeviceUnreachableError, match=r"127\.0\.0\.1:1"):
        driver.look()
