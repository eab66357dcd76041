"""Where devices keep their values: the register map, as validated settings.

In ``smartgrid.toml`` a device is its address and, unless it is our own plant (``smartgrid plant``), all of
its registers: a map is given whole or not at all, so that no default address of ours ever reaches a device
of another make::

    [modbus.battery]
    host = "10.0.0.7"
    unit = 3
    word_order = "little"

    [modbus.battery.registers]
    setpoint_kw = { address = 40100, kind = "int16", scale = 0.1 }
    power_kw = { address = 30000, kind = "int32", scale = -0.001, table = "input" }
    ...
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from grid.drivers.registers import (
    BatteryRegisters,
    Kind,
    MeterRegisters,
    PeakerRegisters,
    Register,
    RegisterError,
    Section,
    WordOrder,
)


def _at(address: int, kind: Kind = "float64") -> Register:
    return Register(address=address, kind=kind)


PLANT_BATTERY = BatteryRegisters(
    setpoint_kw=_at(0),
    clock_s=_at(8),
    power_kw=_at(12),
    soc_kwh=_at(16),
    charged_kwh=_at(20),
    discharged_kwh=_at(24),
    cell_discharged_kwh=_at(28),
)
"""The battery of ``smartgrid plant``; with the peaker it is one block, so one request reads one moment."""

PLANT_PEAKER = PeakerRegisters(
    setpoint_kw=_at(4),
    clock_s=_at(8),
    power_kw=_at(32),
    in_state_s=_at(36),
    generated_kwh=_at(40),
    starts=_at(44, "uint32"),
    on=_at(46, "uint16"),
)
"""The peaker of ``smartgrid plant``."""

PLANT_METER = MeterRegisters(
    net_load_kw=_at(47),
    load_kw=_at(51),
    solar_kw=_at(55),
    wind_kw=_at(59),
    frequency_hz=_at(63),
    clock_s=_at(8),
)
"""The area's meter of ``smartgrid plant``, in the same block."""

METER = "meter."
"""How the names of the meter's points begin."""

PLANT_PORT = 5020
"""Where ``smartgrid plant`` listens: 502, Modbus's own, is for privileged processes."""


class ModbusDevice(Section):
    """How a device is reached."""

    host: str = Field("127.0.0.1", description="name or address", min_length=1)
    port: int = Field(PLANT_PORT, description="TCP port; real devices mostly have 502", ge=1, le=65535)
    unit: int = Field(1, description="unit (slave) id behind that address", ge=0, le=255)
    word_order: WordOrder = Field("big", description="of values of several words: big has the highest first")


class BatteryDevice(ModbusDevice):
    """A battery behind Modbus TCP; the one of ``smartgrid plant`` by default."""

    registers: BatteryRegisters = Field(PLANT_BATTERY, description="all of them, where it is another device")


class PeakerDevice(ModbusDevice):
    """A gas peaker behind Modbus TCP; the one of ``smartgrid plant`` by default."""

    registers: PeakerRegisters = Field(PLANT_PEAKER, description="all of them, where it is another device")


class MeterDevice(ModbusDevice):
    """The meter of the interconnection; the one of ``smartgrid plant`` by default."""

    registers: MeterRegisters = Field(PLANT_METER, description="all of them, where it is another device")


class ModbusSettings(Section):
    """The devices of a plant, and the driver's patience with them."""

    host: str = Field("127.0.0.1", description="of the devices that name none themselves", min_length=1)
    port: int = Field(PLANT_PORT, description="of the devices that name none themselves", ge=1, le=65535)
    unit: int = Field(1, description="of the devices that name none themselves", ge=0, le=255)
    battery: BatteryDevice = Field(default_factory=BatteryDevice)
    peaker: PeakerDevice = Field(default_factory=PeakerDevice)
    meter: MeterDevice | None = Field(
        None, description="where the area's net load is measured; that of smartgrid plant, beside its battery"
    )
    timeout_s: float = Field(1.0, description="longest wait for a connection, and for an answer", gt=0, le=60)
    first_retry_s: float = Field(
        0.5, description="after a failure nothing is tried for so long, twice as long after the next", gt=0
    )
    longest_retry_s: float = Field(30.0, description="no longer than this", gt=0)
    stale_after_s: float = Field(
        30.0, description="a device's clock that stands still for longer makes its readings stale", gt=0
    )

    @property
    def name(self) -> str:
        """What people call it: where its battery and peaker are."""
        places = dict.fromkeys(f"{device.host}:{device.port}" for device in (self.battery, self.peaker))
        return f"Modbus TCP {' and '.join(places)}"

    @model_validator(mode="before")
    @classmethod
    def _share_address(cls, given: Any) -> Any:
        """Each device has the common address, unless it names its own; our plant's battery has a meter."""
        if not isinstance(given, dict):
            return given
        common = {name: given[name] for name in ("host", "port", "unit") if name in given}
        devices = {name: given.get(name, {}) for name in ("battery", "peaker")}
        devices["meter"] = given.get("meter", _meter_beside(devices["battery"]))
        shared = {name: {**common, **own} if isinstance(own, dict) else own for name, own in devices.items()}
        return {**given, **shared}

    @model_validator(mode="after")
    def _two_setpoints(self) -> Self:
        battery, peaker = (point for point in points_of(self) if point.name.endswith("setpoint_kw"))
        if battery.source == peaker.source and not battery.words.isdisjoint(peaker.words):
            raise PydanticCustomError(
                "setpoints", "both setpoints are in the same registers; correct address, unit or host of one"
            )
        return self


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a device, and everything it takes to reach it.

    Attributes:
        name: asset and field, such as ``battery.soc_kwh``.
        device: where it is.
        register: in which register there.
    """

    name: str
    device: ModbusDevice
    register: Register

    @property
    def of_meter(self) -> bool:
        """Whether the meter measures it, not an asset."""
        return self.name.startswith(METER)

    @property
    def source(self) -> tuple[str, int, int, str]:
        """Host, port, unit and table: what one request can read from."""
        return self.device.host, self.device.port, self.device.unit, self.register.table

    @property
    def words(self) -> frozenset[int]:
        """The addresses that it takes."""
        return frozenset(range(self.register.address, self.register.address + self.register.words))

    def encode(self, value: float) -> list[int]:
        """The words of a value.

        Raises:
            RegisterError: naming the point, if it is not finite or does not fit.
        """
        try:
            return self.register.encode(value, self.device.word_order)
        except RegisterError as error:
            raise RegisterError(f"{self.name}: {error}") from None

    def decode(self, words: list[int]) -> float:
        """The value of its words.

        Raises:
            RegisterError: naming the point, if they say that there is none.
        """
        try:
            return self.register.decode(words, self.device.word_order)
        except RegisterError as error:
            raise RegisterError(f"{self.name}: {error}") from None


def points_of(settings: ModbusSettings) -> Iterator[Point]:
    """Every value that the map names: the battery's, then the peaker's, then the meter's."""
    named: dict[str, BatteryDevice | PeakerDevice | MeterDevice | None]
    named = {"battery": settings.battery, "peaker": settings.peaker, "meter": settings.meter}
    for name, device in named.items():
        if device is None:
            continue
        for field, register in device.registers:
            if register is not None:
                yield Point(f"{name}.{field}", device, register)


def _meter_beside(battery: object) -> dict[str, Any] | None:
    """Where our plant's meter is, by where its battery is said to be; None beside another make's."""
    if isinstance(battery, BatteryDevice):
        battery = battery.model_dump(exclude_unset=True)
    if not isinstance(battery, dict) or "registers" in battery:
        return None
    return {name: value for name, value in battery.items() if name in ModbusDevice.model_fields}
