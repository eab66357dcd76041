"""The plant as a device: what setpoints do, when they end, and what its registers hold."""

import asyncio
import socket
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes
from pymodbus.simulator import SimDevice
from pymodbus.simulator.simcore import SimCore

from grid.assets import BatterySpec, PeakerSpec
from grid.clock import SimulatedClock
from grid.drivers.register_map import ModbusSettings, points_of
from grid.errors import PlantError
from grid.plant import PlantSimulator
from grid.series import BaseSeries
from smartgrid.device.area_device import PacedClock
from smartgrid.device.plant_device import Asset, PlantDevice
from smartgrid.device.register_image import FOREVER_S, sim_device
from smartgrid.device.serving import serve
from smartgrid.errors import RoleError
from smartgrid.simulated_area import midnight

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATTERY = BatterySpec(power_kw=1000.0, energy_kwh=2000.0, ramp_kw_per_s=20.0)
PEAKER = PeakerSpec(power_kw=900.0, min_power_kw=300.0, min_up_s=600.0, min_down_s=0.0)
TIMEOUT_S = 60.0


def rows(start: datetime, seconds: float) -> BaseSeries:
    index = pd.date_range(start, periods=int(seconds / 5), freq="5s", name="ts_utc")
    return BaseSeries(pd.DataFrame({"net_load_kw": 50_000.0}, index=index), 5.0)


def day_after(day: date) -> BaseSeries:
    return rows(midnight(day), 600)


def new_device() -> PlantDevice:
    plant = PlantSimulator(rows(START, 1500), BATTERY, PEAKER)
    return PlantDevice(plant, day_after, TIMEOUT_S)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_an_unrepeated_battery_setpoint_ends_in_zero_by_the_ramp() -> None:
    device = new_device()
    device.set_points({"battery": 500.0}, START)
    device.advance_to(at(TIMEOUT_S))
    assert device.readings().battery.power_kw == 500.0
    powers = []
    for late_s in range(5, 35, 5):
        device.advance_to(at(TIMEOUT_S + late_s))
        powers.append(device.readings().battery.power_kw)
    assert powers == [400.0, 300.0, 200.0, 100.0, 0.0, 0.0]
    assert device.readings().battery_setpoint_kw == 0.0


def test_an_unrepeated_peaker_setpoint_ends_at_minimum_and_then_off_once_it_may() -> None:
    device = new_device()
    device.set_points({"peaker": 800.0}, START)
    device.advance_to(at(TIMEOUT_S))
    assert device.readings().peaker.power_kw == 800.0
    device.advance_to(at(TIMEOUT_S + 5))
    assert device.readings().peaker.power_kw == 300.0
    device.advance_to(at(600))
    assert device.readings().peaker.on
    device.advance_to(at(605))
    assert (device.readings().peaker.on, device.readings().peaker.power_kw) == (False, 0.0)


def test_a_repeated_setpoint_holds_and_each_asset_has_its_own_time() -> None:
    device = new_device()
    device.set_points({"battery": 400.0, "peaker": 800.0}, START)
    for seconds in range(25, 301, 25):
        device.set_points({"battery": 400.0}, at(seconds))
        device.advance_to(at(seconds + 24))
        assert device.readings().battery.power_kw == 400.0
        assert device.readings().peaker_setpoint_kw == (800.0 if seconds + 24 < TIMEOUT_S else 0.0)
    device.advance_to(at(300 + TIMEOUT_S))
    assert device.readings().battery_setpoint_kw == 0.0


@settings(max_examples=25, deadline=None)
@given(
    writes=st.lists(
        st.tuples(
            st.integers(0, 900), st.sampled_from(("battery", "peaker")), st.sampled_from((-600.0, 0.0, 700.0))
        ),
        max_size=8,
    ),
    looks=st.lists(st.integers(0, 1200), max_size=20),
)
def test_when_somebody_looks_makes_no_difference(
    writes: list[tuple[int, Asset, float]], looks: list[int]
) -> None:
    alone, watched = new_device(), new_device()
    happenings: list[tuple[int, tuple[Asset, float] | None]] = [
        *((at_s, (asset, power_kw)) for at_s, asset, power_kw in writes),
        *((at_s, None) for at_s in looks),
    ]
    for at_s, wanted in sorted(happenings, key=lambda happening: happening[0]):
        if wanted is None:
            watched.advance_to(at(at_s))
        else:
            for device in (alone, watched):
                device.set_points(dict([wanted]), at(at_s))
    alone.advance_to(at(1200))
    watched.advance_to(at(1200))
    assert alone.readings() == watched.readings()
    readings = alone.readings()
    asked: dict[Asset, float] = {
        "battery": readings.battery_setpoint_kw,
        "peaker": readings.peaker_setpoint_kw,
    }
    for asset, power_kw in asked.items():
        if all(at_s + TIMEOUT_S <= 1200 for at_s, written, _ in writes if written == asset):
            assert power_kw == 0.0


def test_the_plant_goes_on_past_midnight_with_the_next_days_series() -> None:
    before = midnight(date(2026, 3, 2)) - timedelta(seconds=600)
    asked: list[date] = []

    def recorded(day: date) -> BaseSeries:
        asked.append(day)
        return day_after(day)

    device = PlantDevice(PlantSimulator(rows(before, 600), BATTERY, PEAKER), recorded, TIMEOUT_S)
    device.advance_to(before + timedelta(seconds=595))
    assert asked == []
    device.set_points({"battery": -500.0}, before + timedelta(seconds=595))
    device.advance_to(before + timedelta(seconds=615))
    assert asked == [date(2026, 3, 2)]
    assert device.readings().ts_utc == before + timedelta(seconds=615)
    assert device.readings().battery.power_kw == -400.0


def test_a_setpoint_that_is_no_number_is_refused() -> None:
    device = new_device()
    with pytest.raises(PlantError, match="finite"):
        device.set_points({"battery": float("nan")}, START)


def test_a_paced_clock_runs_as_much_faster_as_it_is_told() -> None:
    seconds = iter([10.0, 10.0, 12.5])
    clock = PacedClock(START, 60.0, lambda: next(seconds))
    assert clock.now() == START
    assert clock.now() == at(150)


class Client:
    """Asks the registers as pymodbus's server does."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.device = new_device()
        unit: SimDevice = sim_device(self.device, self.clock)
        self._core = SimCore(unit)
        self._points = {point.name: point for point in points_of(ModbusSettings())}

    def get(self, name: str, code: int = 3) -> float:
        point = self._points[name]
        words: Any = asyncio.run(
            self._core.async_getValues(1, code, point.register.address, point.register.words)
        )
        return point.decode(words)

    def put(self, address: int, words: list[int], code: int = 16) -> ExcCodes | None:
        return asyncio.run(self._core.async_setValues(1, code, address, words))

    def words(self, *values: float) -> list[int]:
        setpoint = self._points["battery.setpoint_kw"].register
        return [word for value in values for word in setpoint.encode(value, "big")]


def test_registers_hold_what_the_plant_reports_at_the_time_of_the_question() -> None:
    client = Client()
    assert client.get("peaker.in_state_s") == FOREVER_S
    assert client.put(0, client.words(300.0, 600.0)) is None
    client.clock.advance(30)
    assert client.get("battery.clock_s") == at(30).timestamp()
    assert client.get("battery.power_kw") == 300.0
    assert client.get("battery.soc_kwh") < 1000.0
    assert client.get("battery.discharged_kwh") == pytest.approx((100 + 200 + 300 * 4) * 5 / 3600)
    assert (client.get("peaker.on"), client.get("peaker.starts")) == (1.0, 1.0)
    assert client.get("peaker.in_state_s") == 30.0
    assert client.get("peaker.power_kw", code=4) == 600.0


def test_a_setpoint_register_shows_the_safe_one_once_the_asked_one_has_ended() -> None:
    client = Client()
    client.put(0, client.words(300.0, 600.0))
    client.clock.advance(TIMEOUT_S - 1)
    assert (client.get("battery.setpoint_kw"), client.get("peaker.setpoint_kw")) == (300.0, 600.0)
    client.clock.advance(1)
    assert (client.get("battery.setpoint_kw"), client.get("peaker.setpoint_kw")) == (0.0, 0.0)


def test_reading_does_not_keep_a_setpoint_alive() -> None:
    client = Client()
    client.put(0, client.words(300.0))
    for _ in range(12):
        client.clock.advance(5)
        client.get("battery.setpoint_kw")
    assert client.get("battery.setpoint_kw") == 0.0


@pytest.mark.parametrize(
    ("address", "words", "code", "refusal"),
    [
        (0, [0x4072], 6, ExcCodes.ILLEGAL_ADDRESS),
        (2, [0, 0, 0x4072, 0xC000], 16, ExcCodes.ILLEGAL_ADDRESS),
        (0, [0x4072, 0xC000, 0, 0, 0x4072, 0xC000], 16, ExcCodes.ILLEGAL_ADDRESS),
        (0, [0x7FF8, 0, 0, 0], 16, ExcCodes.ILLEGAL_VALUE),
        (0, [0x4072, 0xC000, 0, 0, 0x7FF0, 0, 0, 0], 16, ExcCodes.ILLEGAL_VALUE),
        (12, [0, 0, 0, 0], 16, ExcCodes.ILLEGAL_ADDRESS),
        (0, [True, False, True, True], 15, ExcCodes.ILLEGAL_FUNCTION),
    ],
    ids=[
        "one word",
        "two halves",
        "one and a half",
        "not a number",
        "one of two infinite",
        "a reading",
        "coils",
    ],
)
def test_a_write_that_is_no_whole_setpoint_is_refused_and_changes_nothing(
    address: int, words: list[int], code: int, refusal: ExcCodes
) -> None:
    client = Client()
    client.put(0, client.words(100.0, 600.0))
    assert client.put(address, words, code) == refusal
    assert (client.get("battery.setpoint_kw"), client.get("peaker.setpoint_kw")) == (100.0, 600.0)
    client.clock.advance(TIMEOUT_S)
    assert client.get("battery.setpoint_kw") == 0.0


def test_a_port_that_another_process_has_is_an_error_that_names_it() -> None:
    client = Client()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RoleError, match=f"127.0.0.1:{port} cannot be listened on.*--port"):
            asyncio.run(serve(client.device, client.clock, "127.0.0.1", port, print))


def test_a_free_port_is_told_to_whoever_started_the_plant() -> None:
    client = Client()
    told: list[int] = []

    async def main() -> None:
        serving = asyncio.create_task(serve(client.device, client.clock, "127.0.0.1", 0, told.append))
        while not told:
            await asyncio.sleep(0)
        _, writer = await asyncio.open_connection("127.0.0.1", told[0])
        writer.close()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(main())
