"""Registers: how a value of a device is written in 16-bit words, and which values a device has.

A value is the raw number times ``scale``: a device that counts charging as positive has a negative one.
"""

import math
import struct
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from pymodbus.client.mixin import ModbusClientMixin

from grid.drivers import DriverError

Kind = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
WordOrder = Literal["big", "little"]

ADDRESSES = 65_536
_SAME_STEP = 1e-6
"""A value this close to a whole step, in steps, is that step: what is left is rounding of the division."""


class RegisterError(DriverError):
    """A value does not fit its register, or the register holds none: correct the map or ask the device."""


class Section(BaseModel):
    """A part of the settings: nothing unknown, nothing that is no finite number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Register(Section):
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


class BatteryRegisters(Section):
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


class PeakerRegisters(Section):
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


class MeterRegisters(Section):
    """Registers of the meter of the interconnection; positive withdraws from the grid around."""

    net_load_kw: Register = Field(description="net load at the meter, so with battery and peaker in it")
    load_kw: Register | None = Field(None, description="load behind it, where that is metered")
    solar_kw: Register | None = Field(None, description="solar power behind it, where that is metered")
    wind_kw: Register | None = Field(None, description="wind power behind it, where that is metered")
    frequency_hz: Register | None = Field(None, description="frequency of the grid")
    clock_s: Register | None = Field(
        None, description="the device's seconds since 1970 UTC, which must go on; our clock where unset"
    )
