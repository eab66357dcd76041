"""From a signal to what it wants of an asset: OpenADR counts consumption positive, we count injection.

- ``SIMPLE``: 0 nothing; 1 half of the battery's power; 2 all of it; 3 the peaker's as well.
- ``DISPATCH_SETPOINT`` in kW: minus its value; for named resources only.
- ``CHARGE_STATE_SETPOINT`` in percent or kWh: the even power that reaches it at the interval's end.

All others are declined with the reason, never guessed at.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from grid_supervisor.calls import Answer
from policies.proposal import AssetName
from smartgrid.openadr.signals import Event, Payload

SIMPLE_SHARES: Mapping[AssetName, tuple[float, ...]] = {
    "battery": (0.0, 0.5, 1.0, 1.0),
    "peaker": (0.0, 0.0, 0.0, 1.0),
}
"""Of the asset's power, by level; 0 leaves it to the other loops."""
LONGEST = timedelta(days=1)
"""What has more time left than this counts as having this."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a payload is read with.

    Attributes:
        named: whether the event's targets name this resource.
        status: what get_grid_status said.
        left: until the interval ends; more than 0.
    """

    event: Event
    payload: Payload
    asset: AssetName
    named: bool
    status: Answer
    left: timedelta


@dataclass(frozen=True, slots=True)
class Declined:
    """A signal that we do not follow, and why."""

    why: str


Wish = float | Declined | None
"""Power in kW, positive injects; None where nothing is asked of the asset."""


def read(ask: Ask) -> Wish:
    """What a payload wants of an asset."""
    reader = _READERS.get(ask.payload.kind)
    if reader is None:
        return Declined(f"{ask.payload.kind} is not followed here; SIMPLE and setpoints are")
    if len(ask.payload.values) != 1:
        return Declined(f"{ask.payload.kind} has {len(ask.payload.values)} values; send one an interval")
    value = ask.payload.values[0]
    if isinstance(value, bool | str) or not math.isfinite(value):
        return Declined(f"{ask.payload.kind} {value!r} is no finite number")
    return reader(ask, float(value))


def _simple(ask: Ask, value: float) -> Wish:
    shares = SIMPLE_SHARES[ask.asset]
    if value not in range(len(shares)):
        return Declined(f"SIMPLE {value:g} is no level; send 0, 1, 2 or 3")
    share = shares[int(value)]
    power_kw: float = ask.status[ask.asset]["max_power_kw"]
    return share * power_kw if share else None


def _setpoint(ask: Ask, value: float) -> Wish:
    if not ask.named:
        return Declined("DISPATCH_SETPOINT without a target of ours: name the resource in event.targets")
    unit = ask.event.units.get(ask.payload.kind)
    if unit != "KW":
        return Declined(f"DISPATCH_SETPOINT in {unit or 'no unit'}: describe the payload in KW")
    if ask.asset == "peaker" and value > 0:
        return Declined(f"DISPATCH_SETPOINT {value:g} KW consumes, the peaker cannot; send 0 or less")
    return 0.0 - value


def _charge_state(ask: Ask, value: float) -> Wish:
    if ask.asset != "battery":
        return None
    battery = ask.status["battery"]
    unit = ask.event.units.get(ask.payload.kind)
    shares = {"PERCENT": battery["energy_kwh"] / 100.0, "KWH": 1.0}
    if unit not in shares:
        return Declined(f"CHARGE_STATE_SETPOINT in {unit or 'no unit'}: describe it in PERCENT or KWH")
    if battery["soc_kwh"] is None:
        return Declined("the battery has not reported its state of charge yet")
    goal_kwh = value * shares[unit]
    if not 0.0 <= goal_kwh <= battery["energy_kwh"]:
        return Declined(f"CHARGE_STATE_SETPOINT {value:g} {unit} lies outside the battery")
    return _even_power_kw(battery, goal_kwh, min(ask.left, LONGEST) / timedelta(hours=1))


def _even_power_kw(battery: Answer, goal_kwh: float, hours: float) -> float:
    """Power at the meter that brings the cells to ``goal_kwh``; half of the loss lies each way."""
    eta = math.sqrt(battery["round_trip_efficiency"])
    missing_kwh = goal_kwh - battery["soc_kwh"]
    meter_kwh: float = missing_kwh / eta if missing_kwh > 0 else missing_kwh * eta
    limit_kw: float = battery["max_power_kw"]
    return 0.0 - max(-limit_kw, min(limit_kw, meter_kwh / hours))


_READERS: Mapping[str, Callable[[Ask, float], Wish]] = {
    "SIMPLE": _simple,
    "DISPATCH_SETPOINT": _setpoint,
    "CHARGE_STATE_SETPOINT": _charge_state,
}
