"""The driver of devices behind Modbus TCP: ``smartgrid plant``, or real ones.

What it returns was read from the devices during the call, or it raises: a failure closes the
connection, so that no late answer is taken for a new one, and a device whose clock stands still is
not believed. What it wrote it has read back.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from grid.assets import BatteryState, PeakerState
from grid.clock import Clock
from grid.drivers import AssetReadings, DriverError, MeterReadings
from grid.drivers.register_map import METER, ModbusSettings, Point, points_of
from grid.drivers.registers import RegisterError

LONGEST_READ = 125
"""Registers that one request may read, by the protocol."""

Ask = Callable[[ModbusTcpClient], ModbusPDU]


class ModbusError(DriverError):
    """A device cannot be used now; the text names it and says what to do."""


class DeviceUnreachableError(ModbusError):
    """No connection, or no answer in time: see to the device and the network; it is tried again."""


class DeviceRefusedError(ModbusError):
    """The device answered that it will not: correct the register map, or what was asked."""


class WriteNotVerifiedError(ModbusError):
    """A setpoint reads back as another one: the device limits or rounds it, or somebody else writes too."""


class StaleReadingError(ModbusError):
    """The device answers, but its clock stands still: something between repeats an old answer."""


class _Connection:
    """One TCP connection, made when needed; after a failure it rests, longer each time."""

    def __init__(
        self, host: str, port: int, settings: ModbusSettings, monotonic: Callable[[], float]
    ) -> None:
        self._name = f"{host}:{port}"
        self._settings = settings
        self._monotonic = monotonic
        self._client = ModbusTcpClient(host, port=port, timeout=settings.timeout_s, retries=0)
        self._problem = ""
        self._rest_s = 0.0
        self._rests_until_s = -math.inf

    def ask(self, question: Ask, what: str) -> list[int]:
        """The registers of the answer.

        Raises:
            DeviceUnreachableError, DeviceRefusedError: if there is none.
        """
        wait_s = self._rests_until_s - self._monotonic()
        if wait_s > 0:
            raise DeviceUnreachableError(f"{self._problem}; tried again in {wait_s:.1f} s at the earliest")
        try:
            answer = self._answer(question)
        except (ModbusException, OSError) as error:
            self._rest(f"{self._name}: {what}: {self._cause(error)}")
            raise DeviceUnreachableError(self._problem) from error
        self._rest_s = 0.0
        if answer.isError():
            raise DeviceRefusedError(
                f"{self._name}: {what}: refused with {_code(answer)}; correct unit and addresses of the "
                "register map, or see what the device is set to allow"
            )
        return list(answer.registers)

    def _answer(self, question: Ask) -> ModbusPDU:
        if self._client.connected:
            try:
                return question(self._client)
            except (ConnectionException, OSError):
                self.close()  # devices close connections that were idle: once more, on a new one
        return question(self._client)

    def _rest(self, problem: str) -> None:
        self.close()
        self._problem = problem
        self._rest_s = min(2 * self._rest_s or self._settings.first_retry_s, self._settings.longest_retry_s)
        self._rests_until_s = self._monotonic() + self._rest_s

    def _cause(self, error: Exception) -> str:
        if isinstance(error, ConnectionException):
            return "no connection; see that the device is on, and that host and port are its own"
        if isinstance(error, ModbusIOException):
            return (
                f"no usable answer within {self._settings.timeout_s:g} s; see to the device and its unit id"
            )
        return f"{error}; see to the device and the network"

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Span:
    """Registers that follow each other in one table of one unit, and the points in them."""

    points: tuple[Point, ...]
    first: int
    count: int

    @property
    def source(self) -> tuple[str, int, int, str]:
        return self.points[0].source

    def __str__(self) -> str:
        _, _, unit, table = self.source
        return f"unit {unit}, {table} registers {self.first} to {self.first + self.count - 1}"

    def and_(self, point: Point) -> "_Span | None":
        """This span and one more point; None if there is a gap, or too much for one request."""
        start = point.register.address
        count = max(self.count, start + point.register.words - self.first)
        if point.source != self.source or start > self.first + self.count or count > LONGEST_READ:
            return None
        return _Span((*self.points, point), self.first, count)


class ModbusDriver:
    """Takes setpoints to a battery and a peaker, and reads them.

    Invariants:
        A setpoint that was not read back as written is an error. No reading is older than the call.

    Args:
        settings: the devices' addresses and registers.
        clock: the time of readings of devices without a clock of their own.
        monotonic: seconds that only grow, for rests and standing clocks.
    """

    def __init__(
        self, settings: ModbusSettings, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._points = {point.name: point for point in points_of(settings)}
        self._reads = _spans(point for point in self._points.values() if not point.of_meter)
        self._all_reads = _spans(self._points.values())
        setpoints = (self._points["battery.setpoint_kw"], self._points["peaker.setpoint_kw"])
        self._writes = _spans(setpoints)
        self._connections = {
            (device.host, device.port): _Connection(device.host, device.port, settings, monotonic)
            for device in (settings.battery, settings.peaker, settings.meter)
            if device is not None
        }
        self._clocks: dict[str, tuple[float, float]] = {}
        self._peaker_since: tuple[bool, datetime] | None = None

    def apply(self, battery_kw: float, peaker_kw: float) -> None:
        """Ask for a power from now on, in kW; positive injects into the grid. Read back before it returns.

        Raises:
            RegisterError: on a setpoint that is not finite or does not fit; nothing was written then.
            DeviceUnreachableError, DeviceRefusedError, WriteNotVerifiedError: if a device does not take
                it; another device may have taken its own.
        """
        wanted = {"battery.setpoint_kw": battery_kw, "peaker.setpoint_kw": peaker_kw}
        words = {name: self._points[name].encode(value) for name, value in wanted.items()}
        for span in self._writes:
            self._write(span, [word for point in span.points for word in words[point.name]])
        for span in self._writes:
            for point, found in self._read(span):
                if found != words[point.name]:
                    raise WriteNotVerifiedError(
                        f"{point.name}: asked for {wanted[point.name]:g} kW, reads back "
                        f"{point.decode(found):g} kW; see that nobody else writes, and that the limits and "
                        "the register's kind and scale are the device's own"
                    )

    def read(self) -> AssetReadings:
        """What the devices report now.

        Raises:
            RegisterError, DeviceUnreachableError, DeviceRefusedError, StaleReadingError: where a value
                cannot be had now; none is returned then.
        """
        return self._assets(self._values(self._reads))

    def look(self) -> tuple[AssetReadings, MeterReadings | None]:
        """What the devices and the meter report now, from one request where they are one block.

        Returns:
            the assets' readings and the meter's; None where no meter is named.

        Raises:
            RegisterError, DeviceUnreachableError, DeviceRefusedError, StaleReadingError: as :meth:`read`.
        """
        values = self._values(self._all_reads)
        metered = {
            name.removeprefix(METER): value for name, value in values.items() if name.startswith(METER)
        }
        metered.pop("clock_s", None)
        return self._assets(values), MeterReadings(**metered) if metered else None

    def taken_kw(self, battery_kw: float, peaker_kw: float) -> tuple[float, float]:
        """What the setpoints read back as once these were applied; NaN for one that does not fit."""
        return self._taken_kw("battery", battery_kw), self._taken_kw("peaker", peaker_kw)

    def _taken_kw(self, asset: str, power_kw: float) -> float:
        point = self._points[f"{asset}.setpoint_kw"]
        try:
            return point.decode(point.encode(power_kw))
        except RegisterError:
            return math.nan

    def _values(self, spans: Iterable[_Span]) -> dict[str, float]:
        return {point.name: point.decode(words) for span in spans for point, words in self._read(span)}

    def _assets(self, values: Mapping[str, float]) -> AssetReadings:
        ts_utc = self._time_of(values)
        return AssetReadings(
            ts_utc,
            BatteryState(
                soc_kwh=values["battery.soc_kwh"],
                power_kw=values["battery.power_kw"],
                charged_kwh=values["battery.charged_kwh"],
                discharged_kwh=values["battery.discharged_kwh"],
                cell_discharged_kwh=values["battery.cell_discharged_kwh"],
            ),
            self._peaker(values, ts_utc),
            values["battery.setpoint_kw"],
            values["peaker.setpoint_kw"],
        )

    def close(self) -> None:
        """Close the connections; the next call makes them anew."""
        for connection in self._connections.values():
            connection.close()

    def _peaker(self, values: Mapping[str, float], ts_utc: datetime) -> PeakerState:
        on = values["peaker.on"] != 0
        if self._peaker_since is None or self._peaker_since[0] != on:
            self._peaker_since = on, ts_utc
        seen_s = (ts_utc - self._peaker_since[1]).total_seconds()
        return PeakerState(
            power_kw=values["peaker.power_kw"],
            on=on,
            in_state_s=values.get("peaker.in_state_s", seen_s),
            starts=int(values["peaker.starts"]),
            generated_kwh=values["peaker.generated_kwh"],
        )

    def _time_of(self, values: Mapping[str, float]) -> datetime:
        """The older one of the devices' clocks; ours where they have none."""
        clocks = {name: seconds for name, seconds in values.items() if name.endswith(".clock_s")}
        for name, seconds in clocks.items():
            self._must_go_on(name, seconds)
        if not clocks:
            return self._clock.now()
        try:
            return datetime.fromtimestamp(min(clocks.values()), UTC)
        except (OverflowError, ValueError, OSError):
            raise StaleReadingError(
                f"{clocks}: no seconds since 1970; correct the register, or leave clock_s out"
            ) from None

    def _must_go_on(self, name: str, seconds: float) -> None:
        now_s = self._monotonic()
        last, since_s = self._clocks.get(name, (seconds, now_s))
        if seconds != last:
            since_s = now_s
        self._clocks[name] = seconds, since_s
        if now_s - since_s > self._settings.stale_after_s:
            raise StaleReadingError(
                f"{name} = {seconds:.0f} has stood for {now_s - since_s:.0f} s: the readings are old; "
                "restart the device or the gateway before it"
            )

    def _read(self, span: _Span) -> Iterator[tuple[Point, list[int]]]:
        host, port, unit, table = span.source

        def question(client: ModbusTcpClient) -> ModbusPDU:
            read = client.read_holding_registers if table == "holding" else client.read_input_registers
            return read(span.first, count=span.count, device_id=unit)

        words = self._connections[host, port].ask(question, f"reading {span}")
        if len(words) != span.count:
            raise DeviceRefusedError(f"{host}:{port}: reading {span}: {len(words)} registers came back")
        for point in span.points:
            start = point.register.address - span.first
            yield point, words[start : start + point.register.words]

    def _write(self, span: _Span, words: list[int]) -> None:
        host, port, unit, _ = span.source
        self._connections[host, port].ask(
            lambda client: client.write_registers(span.first, words, device_id=unit), f"writing {span}"
        )


def _spans(points: Iterable[Point]) -> list[_Span]:
    """Points together that can be read, or written, at once."""
    spans: list[_Span] = []
    for point in sorted(points, key=lambda point: (*point.source, point.register.address)):
        longer = spans[-1].and_(point) if spans else None
        if longer is None:
            spans.append(_Span((point,), point.register.address, point.register.words))
        else:
            spans[-1] = longer
    return spans


def _code(answer: ModbusPDU) -> str:
    code = answer.exception_code
    return ExcCodes(code).name.lower().replace("_", " ") if code in set(ExcCodes) else f"code {code}"
