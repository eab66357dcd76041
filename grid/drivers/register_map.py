"""Where devices keep their values: Modbus registers with kind, scale and word order, as validated settings.

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

A value is the raw number times ``scale``: a device that counts charging as positive has a negative one.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from pymodbus.client.mixin import ModbusClientMixin

from grid.errors import GridError

Kind = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
WordOrder = Literal["big", "little"]

ADDRESSES = 65_536
_SAME_STEP = 1e-6
"""A value this close to a whole step, in steps, is that step: what is left is rounding of the division."""


class RegisterError(GridError):
    """A value does not fit its register, or the register holds none: correct the map or ask the device."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Register(_Section):
    """One value of a device."""

    address: int = Field(description="as sent on the wire, from 0", ge=0, lt=ADDRESSES)
    kind: Kind = Field("float64", description="how the value is written in 16-bit words")
    scale: float = Field(
        1.0, description="value = raw number × scale; negative where the device's sign differs"
    )
    table: Literal["holding", "input"] = Field("holding", description="which registers: code 3 or code 4")
    missing: int | None = Field(
        None, description="raw number that means no value, such as -32768 for an int16 of SunSpec"
    )

    @property
    def words(self) -> int:
        """How many 16-bit words it takes."""
        return int(self._type.value[1])

    @property
    def _type(self) -> ModbusClientMixin.DATATYPE:
        return ModbusClientMixin.DATATYPE[self.kind.upper()]

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.scale == 0:
            raise PydanticCustomError(
                "scale", "a scale of 0 loses the value; write 1, or e.g. 0.1 for tenths"
            )
        if self.address + self.words > ADDRESSES:
            raise PydanticCustomError("address", "the value would pass the last register, 65535")
        return self

    def encode(self, value: float, word_order: WordOrder) -> list[int]:
        """The words of a value; whole numbers of steps are cut towards zero, never beyond what was asked.

        Raises:
            RegisterError: if it is not finite or does not fit.
        """
        raw = value / self.scale + 0.0  # adding 0.0 turns -0.0, which some devices do not know, into 0.0
        if not math.isfinite(raw):
            raise RegisterError(f"{value} is no value for register {self.address}; give a finite one")
        number = raw if self.kind.startswith("float") else _whole(raw)
        try:
            return ModbusClientMixin.convert_to_registers(number, self._type, word_order)
        except (struct.error, OverflowError):
            raise RegisterError(
                f"{value} does not fit the {self.kind} at register {self.address} with scale {self.scale:g}; "
                "correct kind or scale of the map, or the asset's rating in the limits"
            ) from None

    def decode(self, words: list[int], word_order: WordOrder) -> float:
        """The value of its words.

        Raises:
            RegisterError: if they say that there is none.
        """
        raw = ModbusClientMixin.convert_from_registers(words, self._type, word_order)
        if not isinstance(raw, int | float):
            raise TypeError(f"register {self.address}: {len(words)} words where {self.words} make a value")
        if raw == self.missing or not math.isfinite(raw):
            raise RegisterError(
                f"register {self.address} holds no value ({raw}); see whether the device has started and "
                "measures this, or correct address, kind and word_order of the map"
            )
        return raw * self.scale


def _whole(raw: float) -> int:
    nearest = round(raw)
    return nearest if abs(raw - nearest) <= _SAME_STEP else math.trunc(raw)


def _setpoint(register: Register) -> Register:
    if register.table != "holding" or register.missing is not None:
        raise PydanticCustomError("setpoint", "a setpoint is a holding register without a missing value")
    return register


Setpoint = Annotated[Register, AfterValidator(_setpoint)]


class BatteryRegisters(_Section):
    """Registers of a battery; two values may share one, each with a scale of its own."""

    setpoint_kw: Setpoint = Field(description="power asked for, positive discharges; read back once written")
    power_kw: Register = Field(description="power at the meter, positive discharges")
    soc_kwh: Register = Field(description="energy stored; where it is in percent, scale = capacity / 100")
    charged_kwh: Register = Field(description="energy taken from the grid so far")
    discharged_kwh: Register = Field(description="energy given to the grid so far")
    cell_discharged_kwh: Register = Field(
        description="energy taken from the cells so far; else that of discharged_kwh, scale / √efficiency"
    )
    clock_s: Register | None = Field(
        None, description="the device's seconds since 1970 UTC, which must go on; our clock where unset"
    )


class PeakerRegisters(_Section):
    """Registers of a gas peaker; two values may share one, each with a scale of its own."""

    setpoint_kw: Setpoint = Field(description="power asked for, 0 asks it to be off; read back once written")
    power_kw: Register = Field(description="power generated")
    on: Register = Field(description="not 0 while it is synchronised; that of power_kw serves too")
    starts: Register = Field(description="starts so far")
    generated_kwh: Register = Field(description="energy generated so far")
    in_state_s: Register | None = Field(
        None, description="seconds on, or off; where unset counted from when the driver first saw it so"
    )
    clock_s: Register | None = Field(
        None, description="the device's seconds since 1970 UTC, which must go on; our clock where unset"
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

PLANT_PORT = 5020
"""Where ``smartgrid plant`` listens: 502, Modbus's own, is for privileged processes."""


class ModbusDevice(_Section):
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


class ModbusSettings(_Section):
    """The devices of a plant, and the driver's patience with them."""

    battery: BatteryDevice = Field(default_factory=BatteryDevice)
    peaker: PeakerDevice = Field(default_factory=PeakerDevice)
    timeout_s: float = Field(1.0, description="longest wait for a connection, and for an answer", gt=0, le=60)
    first_retry_s: float = Field(
        0.5, description="after a failure nothing is tried for so long, twice as long after the next", gt=0
    )
    longest_retry_s: float = Field(30.0, description="no longer than this", gt=0)
    stale_after_s: float = Field(
        30.0, description="a device's clock that stands still for longer makes its readings stale", gt=0
    )

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
    """Every value that the map names: the battery's, then the peaker's."""
    for asset, device in (("battery", settings.battery), ("peaker", settings.peaker)):
        for field, register in device.registers:
            if register is not None:
                yield Point(f"{asset}.{field}", device, register)
