"""The owner of a plant behind Modbus TCP: what it measures, does, and says when the devices are away."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client
from sqlalchemy import select

from dispatch.executor import Executor
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.readings import latest_report
from dispatch.receipts import Setpoints, write_intent
from dispatch.schema import audit, dispatches
from grid.clock import SimulatedClock
from grid.drivers import AssetReadings, DriverError, MeterReadings
from grid.drivers.modbus import DeviceUnreachableError
from grid.drivers.simulated import SimulatedDriver
from grid.plant import PlantSimulator
from grid.telemetry import AREA_SITE, NATIVE_SITE, net_load_of
from grid.units import metered_net_load_kw
from policies.limits import Scale, load_limits
from policies.principal import local_principal
from smartgrid.cli.modbus_option import modbus_address
from smartgrid.device.area_device import area_device
from smartgrid.device.plant_device import PlantDevice
from smartgrid.doctor import examine
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.errors import RoleError, SettingsError
from smartgrid.metered_plant import MeteredClock, MeteredPlant
from smartgrid.settings import Settings, load_settings
from tests.smartgrid.modbus_plant import listening
from tests.smartgrid.test_plant_device import BATTERY, PEAKER, day_after, rows

NOON = datetime(2026, 3, 1, 19, 0, tzinfo=UTC)
PULSE = timedelta(seconds=5)
POWER_KW = 1234.5678
AT_ONCE = {"first_retry_s": 1e-6, "longest_retry_s": 1e-6}


class Site:
    """A device that can be switched off, and the settings of its owner."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.clock = SimulatedClock(NOON)
        self.device, _ = area_device(self.settings(), NOON, timeout_s=60.0)
        self.port = 0

    def settings(self, **modbus: Any) -> Settings:
        return Settings(state=self.state, kafka=None, influx_url=None, modbus=modbus or None)

    @contextmanager
    def on(self) -> Iterator[Settings]:
        with listening(self.device, self.clock, self.port) as self.port:
            yield self.settings(port=self.port, **AT_ONCE)

    def pass_time(self, pulses: int = 1) -> None:
        self.clock.advance_to(self.clock.now() + pulses * PULSE)


@pytest.fixture
def site(trained: Path, tmp_path: Path) -> Site:
    shutil.copytree(trained, tmp_path / "state" / "model")
    return Site(tmp_path / "state")


def open_plant(settings: Settings, *loops: str) -> EmbeddedPlant:
    return EmbeddedPlant(settings, loops, SimulatedClock(NOON))


async def discharge(plant: EmbeddedPlant) -> dict[str, Any]:
    async with Client(plant.workplace.server_for(local_principal("ana"))) as client:
        arguments = {"power_kw": POWER_KW, "duration_min": 60, "reason": "a test"}
        answer = (await client.call_tool("discharge_battery", arguments)).structured_content
    assert isinstance(answer, dict)
    return answer


def dispatched(plant: EmbeddedPlant) -> list[tuple[float, str]]:
    with plant.workplace.ledger.reading() as connection:
        found = connection.execute(
            select(dispatches.c.battery_kw, dispatches.c.state).order_by(dispatches.c.id)
        )
        return [(row.battery_kw, row.state) for row in found]


def alarms(plant: EmbeddedPlant) -> list[str]:
    with plant.workplace.ledger.reading() as connection:
        kinds = connection.execute(select(audit.c.kind).order_by(audit.c.seq)).scalars()
        return [kind for kind in kinds if kind.startswith("device_")]


def test_the_owner_drives_the_device_and_measures_what_its_meter_reads(site: Site) -> None:
    async def main() -> None:
        with site.on() as settings:
            async with open_plant(settings) as plant:
                assert (await discharge(plant))["status"] == "accepted"
                site.pass_time()
                await plant.step()
                site.pass_time()
                await plant.step()
                reader = plant.workplace.reader
                (metered,), (native,) = reader.latest(AREA_SITE, 1), reader.latest(NATIVE_SITE, 1)
                with plant.workplace.ledger.reading() as connection:
                    report = latest_report(connection)
                assert dispatched(plant)[-1] == (POWER_KW, "APPLIED")
        felt = site.device.readings()
        assert felt.battery.power_kw == POWER_KW
        assert report is not None
        assert report.readings.battery.soc_kwh == felt.battery.soc_kwh
        assert metered.ts_utc == native.ts_utc == site.clock.now() - PULSE
        parts = native.load_kw, native.solar_kw, native.wind_kw
        assert native.net_load_kw == pytest.approx(net_load_of(*parts))
        assert metered.net_load_kw == pytest.approx(
            metered_net_load_kw(native.net_load_kw or 0.0, POWER_KW, 0.0)
        )
        assert metered.price_usd_per_mwh is not None
        assert metered.frequency_hz is not None

    asyncio.run(main())


def test_devices_that_go_away_raise_one_alarm_and_get_their_setpoint_again_when_they_are_back(
    site: Site,
) -> None:
    async def main() -> None:
        with site.on() as settings:
            plant = await open_plant(settings).__aenter__()
        assert (await discharge(plant))["status"] == "accepted"
        before = dispatched(plant)
        for _ in range(3):
            site.pass_time()
            await plant.step()
        assert alarms(plant) == ["device_lost"]
        assert dispatched(plant) == before
        site.pass_time(20)
        with site.on():
            await plant.step()
            assert alarms(plant) == ["device_lost", "device_back"]
            assert site.device.readings().battery_setpoint_kw == POWER_KW
            assert dispatched(plant)[len(before) :] == [(POWER_KW, "APPLIED")]
            await plant.__aexit__(None, None, None)

    asyncio.run(main())


def test_devices_lost_between_intent_and_effect_leave_no_receipt_and_are_reconciled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: object, battery_kw: float, peaker_kw: float) -> None:
        raise DeviceUnreachableError("the cable was cut")

    async def main() -> None:
        with site.on() as settings:
            async with open_plant(settings) as plant:
                await discharge(plant)
                site.pass_time()
                with monkeypatch.context() as patched:
                    patched.setattr("grid.drivers.modbus.ModbusDriver.apply", lost)
                    await plant.step()
                assert dispatched(plant)[-1] == (POWER_KW, "INTENT")
                assert alarms(plant) == ["device_lost"]
                site.pass_time()
                await plant.step()
                assert dispatched(plant)[-2:] == [(POWER_KW, "NOT_APPLIED"), (POWER_KW, "APPLIED")]
                assert alarms(plant) == ["device_lost", "device_back"]

    asyncio.run(main())


def test_an_owner_that_comes_back_fills_its_windows_with_what_was_measured_before(site: Site) -> None:
    async def main() -> None:
        async with open_plant(site.settings()):
            pass  # simulated: two hours of telemetry until noon
        with site.on() as settings:
            site.pass_time(2)
            async with open_plant(settings) as plant:
                forecast = plant.workplace.reader.latest_forecast(AREA_SITE)
                assert forecast is not None
                assert forecast.issued_at == site.clock.now() - PULSE

    asyncio.run(main())


def test_devices_whose_clock_is_far_behind_the_ledger_are_refused_with_what_to_do(site: Site) -> None:
    async def main() -> None:
        async with EmbeddedPlant(site.settings(), (), SimulatedClock(NOON + timedelta(hours=1))):
            pass
        with site.on() as settings, pytest.raises(RoleError, match="set the devices' clock"):
            await open_plant(settings).__aenter__()

    asyncio.run(main())


def test_a_device_starts_where_the_ledger_of_its_state_has_come_to(site: Site) -> None:
    async def main() -> None:
        async with EmbeddedPlant(site.settings(), (), SimulatedClock(NOON + timedelta(hours=1))):
            pass

    asyncio.run(main())
    device, begin = area_device(site.settings(), NOON, timeout_s=60.0)
    assert begin >= NOON + timedelta(hours=1)
    assert device.readings().ts_utc == begin


class Single(SimulatedDriver):
    """A device whose setpoint registers are 32-bit floats."""

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        super().apply(*self.taken_kw(battery_kw, peaker_kw))

    def taken_kw(self, battery_kw: float, peaker_kw: float) -> tuple[float, float]:
        return float(np.float32(battery_kw)), float(np.float32(peaker_kw))


def test_a_setpoint_that_a_register_rounded_is_known_again_after_a_crash(tmp_path: Path) -> None:
    limits = load_limits(None).resolve(Scale(100_000.0, 5_000.0, 5.0))
    with Ledger(tmp_path) as ledger:
        lease = Lease(ledger, "owner", lambda: 0.0)
        assert lease.acquire()
        driver = Single(PlantSimulator(rows(NOON, 60), limits.battery, limits.peaker))
        executor = Executor(ledger, driver, lease, limits, SimulatedClock(NOON), price=lambda: 30.0, zone=UTC)
        for power_kw, applied in ((POWER_KW, True), (POWER_KW + 0.001, False)):
            with ledger.transaction() as transaction:
                write_intent(transaction.connection, Setpoints(power_kw, 0.0), NOON)
            if applied:
                driver.apply(power_kw, 0.0)
                assert driver.read().battery_setpoint_kw != power_kw
            executor.reconcile()
        with ledger.reading() as connection:
            assert list(
                connection.execute(select(dispatches.c.state).order_by(dispatches.c.id)).scalars()
            ) == [
                "RECONCILED",
                "NOT_APPLIED",
            ]


class Recorded(SimulatedDriver):
    """A driver that reports what a test has put there."""

    def __init__(self, net_load_kw: float | None = 50_000.0) -> None:
        super().__init__(PlantSimulator(rows(NOON, 60), BATTERY, PEAKER))
        self.readings = super().read()
        self.metered = None if net_load_kw is None else MeterReadings(net_load_kw)

    def look(self) -> tuple[AssetReadings, MeterReadings | None]:
        return self.readings, self.metered

    def at(self, moment: datetime) -> None:
        self.readings = AssetReadings(moment, self.readings.battery, self.readings.peaker, 0.0, 0.0)


def unpriced(moment: datetime) -> Any:
    return rows(moment, 60)


def test_each_pulse_comes_once_and_what_is_not_metered_stays_missing() -> None:
    driver = Recorded()
    plant = MeteredPlant(driver, unpriced)
    area, native = plant.play_until(plant.look())
    assert (area.net_load_kw, native.net_load_kw) == (50_000.0, 50_000.0)
    assert (native.load_kw, native.solar_kw, area.price_usd_per_mwh) == (None, None, None)
    driver.at(NOON + timedelta(seconds=4.9))
    assert plant.play_until(plant.look()) == []
    driver.at(NOON + timedelta(seconds=5.1))
    assert [pulse.ts_utc for pulse in plant.play_until(plant.look())] == [NOON, NOON]


def test_devices_whose_clock_goes_back_are_not_believed_until_it_has_come_there_again() -> None:
    driver = Recorded()
    driver.at(NOON + timedelta(seconds=30))
    plant = MeteredPlant(driver, unpriced)
    driver.at(NOON + timedelta(seconds=20))
    with pytest.raises(DriverError, match="clock went back"):
        plant.look()
    driver.at(NOON + timedelta(seconds=35))
    assert plant.look() == NOON + timedelta(seconds=35)


def test_without_a_meter_there_is_no_plant() -> None:
    with pytest.raises(DriverError, match=r"modbus\.meter: none is named"):
        MeteredPlant(Recorded(None), unpriced)


def test_the_plants_clock_goes_on_while_nobody_answers_and_never_back() -> None:
    seconds = [100.0]
    clock = MeteredClock(NOON, 60.0, lambda: seconds[0])
    seconds[0] += 2
    assert clock.now() == NOON + timedelta(minutes=2)
    clock.advance_to(NOON + timedelta(minutes=1))  # the devices' own is slower than was thought
    assert clock.now() == NOON + timedelta(minutes=2)
    seconds[0] += 2
    assert clock.now() == NOON + timedelta(minutes=3)
    clock.advance_to(NOON + timedelta(minutes=10))
    assert clock.now() == NOON + timedelta(minutes=10)


def test_a_device_without_a_pulse_has_no_net_load_and_never_zero() -> None:
    plant = PlantDevice(PlantSimulator(rows(NOON, 60), BATTERY, PEAKER), day_after, 60.0)
    assert plant.metered() is None
    plant.advance_to(NOON + PULSE)
    metered = plant.metered()
    assert metered is not None
    assert (metered.net_load_kw, metered.load_kw) == (50_000.0, None)


def test_doctor_says_whether_the_device_answers(site: Site) -> None:
    def found(settings: Settings) -> tuple[str, str]:
        (finding,) = (finding for finding in examine(settings) if finding.what == "modbus")
        return finding.level, finding.detail

    with site.on() as settings:
        level, detail = found(settings)
        assert (level, NOON.isoformat() in detail) == ("ok", True)
    assert found(settings)[0] == "wrong"
    assert found(site.settings())[0] == "missing"


def test_the_option_names_the_address_and_the_file_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "smartgrid.toml").write_text("[modbus]\ntimeout_s = 3.0\nport = 1\n", encoding="utf-8")
    modbus = load_settings(state=tmp_path, modbus=modbus_address("[::1]:502")).modbus
    assert modbus is not None
    assert (modbus.battery.host, modbus.battery.port, modbus.timeout_s) == ("::1", 502, 3.0)


@pytest.mark.parametrize("text", ["", "plant", "plant:", ":502", "plant:http", "plant:70000", "u@plant:1/x"])
def test_what_is_no_address_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(SettingsError, match=r"write it like 127\.0\.0\.1:5020"):
        modbus_address(text)
