"""The plant's registers: what a Modbus client reads and writes, kept by pymodbus, filled when asked."""

import math
from dataclasses import asdict
from typing import cast

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

from grid.clock import Clock
from grid.drivers import AssetReadings, MeterReadings
from grid.drivers.register_map import ModbusSettings, Point, points_of
from grid.drivers.registers import RegisterError
from smartgrid.device.plant_device import Asset, PlantDevice

FOREVER_S = 1e9
"""An asset that was never switched has been so for longer than any limit; registers hold no infinity."""

REGISTER_CODES = frozenset({3, 4, 6, 16, 22, 23})
"""Function codes of Modbus that read or write registers; the plant has no coils."""

_POINTS = tuple(points_of(ModbusSettings()))
_SETPOINTS: dict[Asset, Point] = {
    cast(Asset, point.name.split(".")[0]): point for point in _POINTS if point.name.endswith(".setpoint_kw")
}
_NO_VALUE = ModbusClientMixin.convert_to_registers(math.nan, ModbusClientMixin.DATATYPE.FLOAT64)
_COUNT = max(max(point.words) for point in _POINTS) + 1


def sim_device(plant: PlantDevice, clock: Clock) -> SimDevice:
    """Unit 1: the registers of the plant's default map.

    Args:
        plant: played on before every answer.
        clock: the plant's time.
    """

    async def answer(
        code: int, _start: int, address: int, _count: int, registers: list[int], written: object
    ) -> ExcCodes | None:
        if code not in REGISTER_CODES:
            return ExcCodes.ILLEGAL_FUNCTION
        try:
            if written is not None:
                wanted = _wanted(address, cast(list[int], written))
                if not wanted:
                    return ExcCodes.ILLEGAL_ADDRESS
                plant.set_points(wanted, clock.now())
            plant.advance_to(clock.now())
        except RegisterError:
            return ExcCodes.ILLEGAL_VALUE
        registers[:_COUNT] = _image(plant.readings(), plant.metered())
        return None

    registers = SimData(0, values=[0] * _COUNT, datatype=DataType.REGISTERS)
    return SimDevice(1, registers, action=answer)


def _wanted(address: int, words: list[int]) -> dict[Asset, float]:
    """The setpoints that were written; none if a part of one was, since half a number asks for anything.

    Raises:
        RegisterError: on one that is not a finite number.
    """
    addresses = range(address, address + len(words))
    whole = {asset: point for asset, point in _SETPOINTS.items() if point.words <= set(addresses)}
    if sum(len(point.words) for point in whole.values()) != len(words):
        return {}
    return {
        asset: point.decode(words[point.register.address - address :][: point.register.words])
        for asset, point in whole.items()
    }


def _image(readings: AssetReadings, metered: MeterReadings | None) -> list[int]:
    """All registers, from the first on; what is not measured is no number, and never 0."""
    values = _values(readings, metered)
    image = [0] * _COUNT
    for point in _POINTS:
        start, value = point.register.address, values.get(point.name)
        image[start : start + point.register.words] = _NO_VALUE if value is None else point.encode(value)
    return image


def _values(readings: AssetReadings, metered: MeterReadings | None) -> dict[str, float]:
    clock = {"clock_s": readings.ts_utc.timestamp()}
    battery = asdict(readings.battery) | clock | {"setpoint_kw": readings.battery_setpoint_kw}
    peaker = asdict(readings.peaker) | clock | {"setpoint_kw": readings.peaker_setpoint_kw}
    peaker["in_state_s"] = min(readings.peaker.in_state_s, FOREVER_S)
    meter = clock | ({} if metered is None else asdict(metered))
    named = {"battery": battery, "peaker": peaker, "meter": meter}
    return {
        f"{device}.{field}": float(value)
        for device, own in named.items()
        for field, value in own.items()
        if value is not None
    }
