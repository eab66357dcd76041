"""A battery at the interconnection: power, energy, losses, ramp, wear, cycles.

Charging stores ``p * sqrt(eta) * dt`` and discharging removes ``p * dt / sqrt(eta)``, with
``eta`` the round-trip efficiency and ``p`` measured at the meter, positive when it discharges.
"""

import math
from dataclasses import dataclass, replace

from grid.units import SECONDS_PER_HOUR, energy_kwh


@dataclass(frozen=True, slots=True)
class BatterySpec:
    """Physical limits of a battery.

    Attributes:
        power_kw: largest charge and discharge power at the meter.
        energy_kwh: capacity.
        round_trip_efficiency: in (0, 1]; half of the loss (its square root) each way.
        ramp_kw_per_s: largest change of power per second.
        wear_usd_per_mwh: cost per MWh discharged at the meter.
        soc_min, soc_max: usable fraction of the capacity.
        initial_soc: fraction of the capacity at the start.
        max_cycles_per_day: equivalent full cycles (energy discharged from the cells / capacity).
    """

    power_kw: float
    energy_kwh: float
    round_trip_efficiency: float = 0.9
    ramp_kw_per_s: float = math.inf
    wear_usd_per_mwh: float = 10.0
    soc_min: float = 0.0
    soc_max: float = 1.0
    initial_soc: float = 0.5
    max_cycles_per_day: float = 2.0

    @property
    def one_way_efficiency(self) -> float:
        """Efficiency of charging, and of discharging: the square root of the round trip's."""
        return math.sqrt(self.round_trip_efficiency)

    def initial_state(self) -> "BatteryState":
        """The battery at rest at its initial state of charge."""
        return BatteryState(soc_kwh=self.initial_soc * self.energy_kwh)


@dataclass(frozen=True, slots=True)
class BatteryState:
    """A battery at one moment.

    Attributes:
        soc_kwh: energy stored.
        power_kw: power over the last step, positive discharges.
        charged_kwh, discharged_kwh: meter energy since the start, both >= 0.
        cell_discharged_kwh: energy taken from the cells since the start (counts cycles).
    """

    soc_kwh: float
    power_kw: float = 0.0
    charged_kwh: float = 0.0
    discharged_kwh: float = 0.0
    cell_discharged_kwh: float = 0.0

    def cycles(self, spec: BatterySpec) -> float:
        """Equivalent full cycles since the start."""
        return self.cell_discharged_kwh / spec.energy_kwh

    def power_range_kw(self, spec: BatterySpec, duration_s: float) -> tuple[float, float]:
        """Lowest (charging) and highest (discharging) power that SoC bounds allow for ``duration_s``."""
        hours = duration_s / SECONDS_PER_HOUR
        eta = spec.one_way_efficiency
        room_kwh = max(0.0, spec.soc_max * spec.energy_kwh - self.soc_kwh)
        stock_kwh = max(0.0, self.soc_kwh - spec.soc_min * spec.energy_kwh)
        return -min(spec.power_kw, room_kwh / eta / hours), min(spec.power_kw, stock_kwh * eta / hours)

    def step(self, spec: BatterySpec, setpoint_kw: float, duration_s: float) -> "BatteryState":
        """The state after trying to hold ``setpoint_kw`` for ``duration_s``.

        The power moves to the setpoint within its ramp and stays within power and SoC bounds
        (which outrank the ramp), so what was done may be less than what was asked: read
        ``power_kw``.
        """
        reach_kw = spec.ramp_kw_per_s * duration_s
        ramped_kw = min(max(setpoint_kw, self.power_kw - reach_kw), self.power_kw + reach_kw)
        low_kw, high_kw = self.power_range_kw(spec, duration_s)
        power_kw = min(max(ramped_kw, low_kw), high_kw)
        meter_kwh = energy_kwh(power_kw, duration_s)
        eta = spec.one_way_efficiency
        cell_kwh = meter_kwh / eta if meter_kwh > 0 else meter_kwh * eta
        # Only rounding can pass a bound here; a battery that starts outside its bounds keeps its energy.
        lowest_kwh = min(self.soc_kwh, spec.soc_min * spec.energy_kwh)
        highest_kwh = max(self.soc_kwh, spec.soc_max * spec.energy_kwh)
        soc_kwh = min(max(self.soc_kwh - cell_kwh, lowest_kwh), highest_kwh)
        return replace(
            self,
            soc_kwh=soc_kwh,
            power_kw=power_kw,
            charged_kwh=self.charged_kwh + max(0.0, -meter_kwh),
            discharged_kwh=self.discharged_kwh + max(0.0, meter_kwh),
            cell_discharged_kwh=self.cell_discharged_kwh + max(0.0, cell_kwh),
        )
