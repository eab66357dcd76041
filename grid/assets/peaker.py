"""A gas peaker: minimum load, ramp, minimum up and down time, starts, fuel."""

import math
from dataclasses import dataclass

from grid.units import energy_kwh


@dataclass(frozen=True, slots=True)
class PeakerSpec:
    """Physical limits and costs of a gas peaker.

    Attributes:
        power_kw: rated power.
        min_power_kw: lowest stable power while it runs.
        ramp_kw_per_s: largest change of power per second while it runs.
        min_up_s, min_down_s: shortest time on after a start, and off after a stop.
        start_usd: cost of one start.
        heat_rate_mmbtu_per_mwh, fuel_usd_per_mmbtu, upkeep_usd_per_mwh: running cost.
        max_starts_per_day: how often it may start.
    """

    power_kw: float
    min_power_kw: float
    ramp_kw_per_s: float = math.inf
    min_up_s: float = 3600.0
    min_down_s: float = 3600.0
    start_usd: float = 0.0
    heat_rate_mmbtu_per_mwh: float = 10.0
    fuel_usd_per_mmbtu: float = 8.5
    upkeep_usd_per_mwh: float = 5.0
    max_starts_per_day: int = 3

    @property
    def running_usd_per_mwh(self) -> float:
        """Fuel and upkeep per MWh generated."""
        return self.heat_rate_mmbtu_per_mwh * self.fuel_usd_per_mmbtu + self.upkeep_usd_per_mwh


@dataclass(frozen=True, slots=True)
class PeakerState:
    """A peaker at one moment.

    Attributes:
        power_kw: power over the last step; 0 when off.
        on: whether it is synchronised.
        in_state_s: how long it has been on, or off.
        starts: since the beginning.
        generated_kwh: since the beginning.
    """

    power_kw: float = 0.0
    on: bool = False
    in_state_s: float = math.inf
    starts: int = 0
    generated_kwh: float = 0.0

    def must_run(self, spec: PeakerSpec) -> bool:
        """True while its minimum up time has not ended."""
        return self.on and self.in_state_s < spec.min_up_s

    def may_start(self, spec: PeakerSpec) -> bool:
        """True when it is off and its minimum down time has ended."""
        return not self.on and self.in_state_s >= spec.min_down_s

    def step(self, spec: PeakerSpec, setpoint_kw: float, duration_s: float) -> "PeakerState":
        """The state after trying to hold ``setpoint_kw`` for ``duration_s``.

        A setpoint below half the minimum load asks it to be off: it unloads to its minimum by
        its ramp and then stops. A stop before the minimum up time keeps it at minimum load; a
        start before the minimum down time does nothing.
        """
        wants_on = setpoint_kw >= spec.min_power_kw / 2 and setpoint_kw > 0
        if self.on:
            unloading = self.power_kw - spec.ramp_kw_per_s * duration_s > spec.min_power_kw
            on = wants_on or self.must_run(spec) or unloading
        else:
            on = wants_on and self.may_start(spec)
        started = on and not self.on
        power_kw = 0.0
        if on:
            floor_kw = spec.min_power_kw
            target_kw = min(max(setpoint_kw, floor_kw), spec.power_kw)
            from_kw = floor_kw if started else self.power_kw
            reach_kw = spec.ramp_kw_per_s * duration_s
            power_kw = min(max(target_kw, from_kw - reach_kw), from_kw + reach_kw)
        return PeakerState(
            power_kw=power_kw,
            on=on,
            in_state_s=(self.in_state_s if on == self.on else 0.0) + duration_s,
            starts=self.starts + started,
            generated_kwh=self.generated_kwh + energy_kwh(power_kw, duration_s),
        )
