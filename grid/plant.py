"""The plant: plays a base series through the assets and reports what the meters would read.

Two sites publish. ``area`` is the interconnection's meter: it sees the net alone, so its pulses
carry metered net load, prices and frequency, and no parts that would not add up to it.
``area-native`` is the same area gross of our own assets: load, solar, wind, net load and prices
as the base series has them. On every pulse, metered = native − battery − peaker
(:func:`grid.units.metered_net_load_kw`).
"""

import itertools
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from grid.assets import BatterySpec, BatteryState, PeakerSpec, PeakerState
from grid.errors import PlantError
from grid.frequency import FrequencyModel, SystemSpec
from grid.series import CHANNELS, BaseSeries
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from grid.units import metered_net_load_kw, require_utc

SYSTEM_RATING_PER_P99 = 12.0
"""Rating of the surrounding system over the area's 99th percentile of |net load|.

At 12, a battery of 5 % of that P99 that swings from full charge to full discharge at once stays
inside the frequency deadband, and a trip of more than about an eighth of it leaves it.
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the base series; a missing value or an absent channel is None."""

    start: datetime
    end: datetime
    load_kw: float | None
    solar_kw: float | None
    wind_kw: float | None
    net_load_kw: float | None
    price_usd_per_mwh: float | None
    da_price_usd_per_mwh: float | None
    frequency_hz: float | None


class PlantSimulator:
    """A battery and a gas peaker behind the meter of an area, in simulated time.

    Invariants:
        The assets follow their setpoints at every moment, also where the base series has a gap
        (which yields no pulse) or a missing net load (which yields a pulse without one).
        Playing in many small steps gives the same pulses as playing at once.
    """

    def __init__(
        self,
        base: BaseSeries,
        battery: BatterySpec,
        peaker: PeakerSpec,
        system: SystemSpec | None = None,
    ) -> None:
        """Stand at the start of the base series, battery at its initial SoC, peaker off.

        Args:
            base: what the area would measure if nobody dispatched anything; at least one row.
            battery: the battery's limits.
            peaker: the peaker's limits.
            system: the power system around; 60 Hz and sized to the area by default.

        Raises:
            PlantError: if ``base`` has no row.
        """
        if base.frame.empty:
            raise PlantError("base: the series has no row; give one with at least one measurement")
        self._battery_spec, self._peaker_spec = battery, peaker
        self._battery, self._peaker = battery.initial_state(), PeakerState()
        self._battery_setpoint_kw = self._peaker_setpoint_kw = 0.0
        self._cadence_s = base.cadence_s
        self._rows = _rows(base)
        self._next = 0
        self._now = self._rows[0].start
        self._measures_frequency = "frequency_hz" in base.frame
        self._frequency = FrequencyModel(system or system_around(base))
        self._last_native_kw = next(
            (row.net_load_kw for row in self._rows if row.net_load_kw is not None), 0.0
        )

    @property
    def now(self) -> datetime:
        """How far the plant has been played."""
        return self._now

    @property
    def ended(self) -> bool:
        """True when every row has been played."""
        return self._next == len(self._rows)

    @property
    def battery(self) -> BatteryState:
        """The battery at this moment."""
        return self._battery

    @property
    def peaker(self) -> PeakerState:
        """The peaker at this moment."""
        return self._peaker

    @property
    def set_points_kw(self) -> tuple[float, float]:
        """What battery and peaker are asked to do, in kW."""
        return self._battery_setpoint_kw, self._peaker_setpoint_kw

    def restore(self, battery: BatteryState, peaker: PeakerState) -> None:
        """Let the assets stand as they were reported before this simulation began."""
        self._battery, self._peaker = battery, peaker

    def extend(self, base: BaseSeries) -> None:
        """Go on with more rows of the same channels and cadence.

        Raises:
            PlantError: if they do not follow those that are there.
        """
        rows = _rows(base)
        if not rows or rows[0].start < self._rows[-1].end:
            raise PlantError("base: its rows do not follow the plant's; give later ones")
        self._rows = self._rows[self._next :] + rows
        self._next = 0

    def set_points(self, battery_kw: float, peaker_kw: float) -> None:
        """Ask the assets for a power from now on; positive injects into the grid and lowers the meter.

        The assets follow within their own limits.

        Args:
            battery_kw: positive discharges, negative charges.
            peaker_kw: 0 asks it to be off.

        Raises:
            PlantError: on a setpoint that is not a finite number; both keep their old ones then.
        """
        for name, value in (("battery_kw", battery_kw), ("peaker_kw", peaker_kw)):
            if not math.isfinite(value):
                raise PlantError(f"{name}: {value} is no setpoint; give a finite power in kW")
        self._battery_setpoint_kw, self._peaker_setpoint_kw = battery_kw, peaker_kw

    def play_until(self, moment: datetime) -> list[Telemetry]:
        """Play on to ``moment`` and return the pulses that have come in by then, in their order.

        A row's pulse comes when its interval ends; a row that has not ended by ``moment`` is not
        begun. Past the last row the assets go on alone.

        Raises:
            UnitsError: on a naive ``moment``.
        """
        moment = require_utc(moment, "moment")
        pulses: list[Telemetry] = []
        while not self.ended and self._rows[self._next].end <= moment:
            pulses.extend(self.play_row())
        until = moment if self.ended else min(moment, self._rows[self._next].start)
        self._idle_until(until)
        return pulses

    def play_row(self) -> list[Telemetry]:
        """Play the next row, and the gap before it, and return its pulses: area, then area-native.

        Raises:
            IndexError: if the series has ended.
        """
        row = self._rows[self._next]
        self._idle_until(row.start)
        duration_s = (row.end - row.start).total_seconds()
        self._step_assets(duration_s)
        self._next += 1
        self._now = row.end
        assets_kw = self._battery.power_kw, self._peaker.power_kw
        metered_kw = None
        if row.net_load_kw is not None:
            self._last_native_kw = row.net_load_kw
            metered_kw = metered_net_load_kw(row.net_load_kw, *assets_kw)
        area = Telemetry(
            AREA_SITE,
            row.start,
            net_load_kw=metered_kw,
            price_usd_per_mwh=row.price_usd_per_mwh,
            da_price_usd_per_mwh=row.da_price_usd_per_mwh,
            frequency_hz=self._frequency_hz(row, duration_s),
        )
        native = Telemetry(
            NATIVE_SITE,
            row.start,
            row.load_kw,
            row.solar_kw,
            row.wind_kw,
            row.net_load_kw,
            row.price_usd_per_mwh,
            row.da_price_usd_per_mwh,
        )
        return [area, native]

    def _idle_until(self, moment: datetime) -> None:
        """Let the assets follow their setpoints where there is no row, a cadence at a time."""
        while self._now < moment:
            duration_s = min(self._cadence_s, (moment - self._now).total_seconds())
            self._step_assets(duration_s)
            self._now += timedelta(seconds=duration_s)

    def _step_assets(self, duration_s: float) -> None:
        self._battery = self._battery.step(self._battery_spec, self._battery_setpoint_kw, duration_s)
        self._peaker = self._peaker.step(self._peaker_spec, self._peaker_setpoint_kw, duration_s)

    def _frequency_hz(self, row: _Row, duration_s: float) -> float | None:
        """Simulated; or the file's own, where it has one, plus what our assets do to it."""
        assets_kw = self._battery.power_kw, self._peaker.power_kw
        if not self._measures_frequency:
            return self._frequency.step(metered_net_load_kw(self._last_native_kw, *assets_kw), duration_s)
        with_assets_hz = self._frequency.step(metered_net_load_kw(0.0, *assets_kw), duration_s)
        effect_hz = with_assets_hz - self._frequency.nominal_hz
        return None if row.frequency_hz is None else row.frequency_hz + effect_hz


def system_around(base: BaseSeries, nominal_hz: float = 60.0) -> SystemSpec:
    """A power system sized to an area: :data:`SYSTEM_RATING_PER_P99` times its P99 of |net load|."""
    known = base.frame["net_load_kw"].abs().dropna()
    p99_kw = float(np.percentile(known, 99.0)) if len(known) else 0.0
    return SystemSpec(SYSTEM_RATING_PER_P99 * max(p99_kw, 1.0), nominal_hz)


def _rows(base: BaseSeries) -> list[_Row]:
    """The base series as rows; an interval ends a cadence after its start, or where the next begins."""
    starts: list[datetime] = list(pd.DatetimeIndex(base.frame.index).to_pydatetime())
    cadence = timedelta(seconds=base.cadence_s)
    ends = [min(start + cadence, following) for start, following in itertools.pairwise(starts)]
    ends.append(starts[-1] + cadence)
    columns: list[list[float | None]] = [_channel(base.frame, name) for name in CHANNELS]
    values = zip(*columns, strict=True)
    return [_Row(start, end, *row) for start, end, row in zip(starts, ends, values, strict=True)]


def _channel(frame: pd.DataFrame, name: str) -> list[float | None]:
    if name not in frame:
        return [None] * len(frame)
    return [None if math.isnan(value) else value for value in frame[name].tolist()]
