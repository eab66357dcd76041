"""The register map: what a value's words are, and which maps are refused."""

import math
import re
import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from grid.drivers.register_map import PLANT_BATTERY, BatteryDevice, ModbusSettings, points_of
from grid.drivers.registers import Kind, Register, RegisterError, WordOrder

INTEGERS: dict[Kind, tuple[int, int]] = {
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**33), 2**33),
    "uint64": (0, 2**33),
}
ORDERS = st.sampled_from(("big", "little"))
SCALES = st.sampled_from((1.0, 0.1, 0.01, 0.001, 10.0, 2.5, -0.1, -1.0))


@given(data=st.data(), kind=st.sampled_from(sorted(INTEGERS)), order=ORDERS, scale=SCALES)
def test_every_raw_number_survives_scaling_and_word_order(
    data: st.DataObject, kind: Kind, order: WordOrder, scale: float
) -> None:
    register = Register(address=0, kind=kind, scale=scale)
    raw = data.draw(st.integers(*INTEGERS[kind]))
    words = register.encode(raw * scale, order)
    assert len(words) == register.words
    assert all(0 <= word <= 0xFFFF for word in words)
    assert register.decode(words, order) == raw * scale


@given(value=st.floats(-1e6, 1e6), order=ORDERS, scale=SCALES)
def test_a_value_between_two_steps_is_cut_towards_zero_by_less_than_a_step(
    value: float, order: WordOrder, scale: float
) -> None:
    register = Register(address=0, kind="int64", scale=scale)
    read = register.decode(register.encode(value, order), order)
    assert abs(read - value) < abs(scale)
    assert abs(read) <= abs(value) + 2e-6 * abs(scale)
    assert read * value >= 0


@given(value=st.floats(allow_nan=False, allow_infinity=False), order=ORDERS)
def test_a_double_survives_exactly(value: float, order: WordOrder) -> None:
    register = Register(address=0)
    assert register.decode(register.encode(value, order), order) == value


@given(value=st.floats(-1e30, 1e30), order=ORDERS, scale=SCALES)
def test_a_single_keeps_seven_digits_under_any_scale(value: float, order: WordOrder, scale: float) -> None:
    assume(value == 0 or abs(value) > 1e-30)
    register = Register(address=0, kind="float32", scale=scale)
    assert register.decode(register.encode(value, order), order) == pytest.approx(value, rel=2e-7)


@given(value=st.floats(-1e12, 1e12))
def test_little_has_the_same_words_in_the_opposite_order(value: float) -> None:
    register = Register(address=0)
    big = register.encode(value, "big")
    assert struct.unpack(">d", struct.pack(">4H", *big))[0] == value
    assert register.encode(value, "little") == big[::-1]


def test_a_negative_scale_turns_a_device_that_counts_charging_as_positive() -> None:
    register = Register(address=7, kind="int16", scale=-0.1)
    assert register.encode(500.0, "big") == [0x10000 - 5000]
    assert register.decode([1200], "big") == pytest.approx(-120.0)


@pytest.mark.parametrize(
    ("value", "kind"), [(40_000.0, "int16"), (-1.0, "uint32"), (1e39, "float32"), (math.nan, "float64")]
)
def test_a_value_that_no_word_can_hold_is_refused_by_name(value: float, kind: Kind) -> None:
    device = BatteryDevice(registers=_with(setpoint_kw={"address": 0, "kind": kind}))
    setpoint = next(iter(points_of(ModbusSettings(battery=device))))
    with pytest.raises(RegisterError, match=r"battery\.setpoint_kw: .*register 0.*(finite|correct)"):
        setpoint.encode(value)


@pytest.mark.parametrize("words", [[0x8000], [0x7FC0, 0], [0x7F80, 0]])
def test_what_a_device_marks_as_missing_is_an_error_and_never_a_number(words: list[int]) -> None:
    register = (
        Register(address=3, kind="int16", missing=-32768)
        if len(words) == 1
        else Register(address=3, kind="float32")
    )
    with pytest.raises(RegisterError, match="register 3 holds no value"):
        register.decode(words, "big")


def test_the_minus_zero_that_some_devices_do_not_know_is_not_written() -> None:
    assert Register(address=0).encode(-0.0, "big") == [0, 0, 0, 0]


def _with(**changed: Any) -> Any:
    return PLANT_BATTERY.model_dump() | changed


WRONG_MAPS: list[tuple[dict[str, Any], str]] = [
    ({"battery": {"registers": {"setpoint_kw": {"address": 0}}}}, "soc_kwh"),
    ({"battery": {"registers": _with(power_kw={"address": 1, "scale": 0.0})}}, "loses the value"),
    ({"battery": {"registers": _with(power_kw={"address": 65_533})}}, "pass the last register"),
    ({"battery": {"registers": _with(power_kw={"adress": 1})}}, "adress"),
    ({"battery": {"registers": _with(setpoint_kw={"address": 0, "table": "input"})}}, "holding"),
    ({"battery": {"registers": _with(setpoint_kw={"address": 3})}}, "both setpoints"),
]


@pytest.mark.parametrize(("content", "named"), WRONG_MAPS)
def test_a_map_that_could_reach_the_wrong_register_is_refused(content: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        ModbusSettings.model_validate(content)


def test_the_same_addresses_on_two_units_are_two_setpoints() -> None:
    same = {"unit": 2, "registers": _with(setpoint_kw={"address": 4})}
    assert ModbusSettings.model_validate({"battery": same}).battery.unit == 2


def test_a_map_is_read_from_the_settings_file() -> None:
    text = """
    [modbus.battery]
    host = "10.0.0.7"
    port = 502
    word_order = "little"
    [modbus.battery.registers]
    setpoint_kw = { address = 100, kind = "int16", scale = 0.1 }
    power_kw = { address = 0, kind = "int32", scale = -0.001, table = "input" }
    soc_kwh = { address = 2, kind = "uint16", scale = 20.0, table = "input", missing = 65535 }
    charged_kwh = { address = 3, kind = "uint32", table = "input" }
    discharged_kwh = { address = 5, kind = "uint32", table = "input" }
    cell_discharged_kwh = { address = 5, kind = "uint32", scale = 1.054, table = "input" }
    """
    settings = ModbusSettings.model_validate(tomllib.loads(text)["modbus"])
    assert settings.battery.registers.power_kw == Register(
        address=0, kind="int32", scale=-0.001, table="input"
    )
    assert settings.peaker.host == "127.0.0.1"


def test_one_request_reads_the_whole_plant_of_one_moment() -> None:
    points = list(points_of(ModbusSettings()))
    assert len({point.source for point in points}) == 1
    assert frozenset[int]().union(*(point.words for point in points)) == set(range(67))


def test_the_common_address_holds_for_devices_that_name_none_and_our_battery_has_its_meter_beside_it() -> (
    None
):
    common = ModbusSettings.model_validate({"host": "10.0.0.7", "port": 502, "peaker": {"host": "10.0.0.8"}})
    assert common.meter is not None
    assert {(device.host, device.port) for device in (common.battery, common.meter)} == {("10.0.0.7", 502)}
    assert (common.peaker.host, common.peaker.port) == ("10.0.0.8", 502)
    own = ModbusSettings.model_validate({"battery": {"host": "10.0.0.9"}})
    assert own.meter is not None
    assert own.meter.host == "10.0.0.9"


def test_beside_a_battery_of_another_make_no_meter_is_made_up() -> None:
    registers = PLANT_BATTERY.model_dump()
    assert ModbusSettings.model_validate({"battery": {"registers": registers}}).meter is None


GUIDE = Path(__file__).parents[2] / "docs" / "modbus.md"


def test_the_guide_lists_the_registers_of_the_plant() -> None:
    lines = GUIDE.read_text("utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if re.match(r"\| \d", line)]
    listed = {(row[2].strip("`"), int(row[0].strip("| ")), row[1]) for row in rows}
    own = {(point.name, point.register.address, point.register.kind) for point in points_of(ModbusSettings())}
    assert listed == own


def test_the_maps_of_the_guide_are_valid() -> None:
    maps = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len(maps) == 2
    read = [ModbusSettings.model_validate(tomllib.loads(text)["modbus"]) for text in maps]
    assert read[1].battery.registers.setpoint_kw.encode(-1500.0, "big") == [0xFFE9, 0x1CA0]
