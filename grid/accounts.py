"""One day's accounts: ramp penalty, energy at the real-time price, wear, fuel, starts, settlement.

All on interval means (see :mod:`grid.intervals`), the same for every run on a day: no action, a
supervisor, perfect foresight. With NL(t) the metered net load and Δ the interval's hours::

    penalty = Σ max(0, |NL(t) − NL(t − 30 min)| − ramp_limit) · Δ · 0.25 USD/kWh
    cost    = penalty − (battery and peaker energy at its price − wear − fuel − starts − settlement)

The sum runs over the day and the 30 minutes after it. Choices where data are missing, for all runs
alike: a change with a missing end carries no penalty; energy in an interval without a price carries
no money (its wear and fuel do); the day's mean price is that of the known ones, 0 without any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from grid.assets import BatterySpec, PeakerSpec
from grid.errors import AccountsError
from grid.market import RAMP_PENALTY_USD_PER_KWH
from grid.units import KW_PER_MW, RAMP_WINDOW_S, SECONDS_PER_HOUR

Array = NDArray[np.float64]

_OFF_KW = 1e-6
"""A peaker below this power is off."""


def ramp_steps(interval_s: float) -> int | None:
    """Intervals in 30 minutes; None where no interval starts 30 minutes before another."""
    steps = RAMP_WINDOW_S / interval_s
    return int(steps) if steps >= 1 and steps == int(steps) else None


@dataclass(frozen=True)
class DayInput:
    """What a day's accounts are made of; powers in kW, prices per MWh, missing is NaN.

    Attributes:
        interval_s: length of an interval.
        native_kw: native net load of every interval of the day.
        before_kw, after_kw: of the 30 minutes before and after the day, one per interval.
        price_usd_per_mwh: real-time price of every interval of the day.
        ramp_limit_kw: 30-minute change above which the penalty starts.
    """

    interval_s: float
    native_kw: Array
    before_kw: Array
    after_kw: Array
    price_usd_per_mwh: Array
    ramp_limit_kw: float

    def __post_init__(self) -> None:
        steps = ramp_steps(self.interval_s) or 0
        lengths = (len(self.native_kw), len(self.price_usd_per_mwh), len(self.before_kw), len(self.after_kw))
        if lengths[0] == 0 or lengths[0] != lengths[1] or lengths[2:] != (steps, steps):
            raise AccountsError(
                f"native_kw, price_usd_per_mwh, before_kw, after_kw: lengths {lengths}; give the first two "
                f"one value for each interval of the day and the last two {steps} each"
            )
        if not (np.isfinite(self.ramp_limit_kw) and self.ramp_limit_kw > 0):
            raise AccountsError(f"ramp_limit_kw: {self.ramp_limit_kw} must be positive and finite")

    @property
    def hours(self) -> float:
        """Length of an interval in hours."""
        return self.interval_s / SECONDS_PER_HOUR

    @property
    def mean_price_usd_per_mwh(self) -> float:
        """Mean of the day's known prices; 0 without any."""
        known = self.price_usd_per_mwh[~np.isnan(self.price_usd_per_mwh)]
        return float(known.mean()) if len(known) else 0.0

    def native_changes_kw(self) -> Array:
        """30-minute changes of native net load over the day and the 30 minutes after; NaN if unknown."""
        steps = ramp_steps(self.interval_s)
        if steps is None:
            return np.full(len(self.native_kw), np.nan)
        line = np.concatenate((self.before_kw, self.native_kw, self.after_kw))
        return np.asarray(line[steps:] - line[:-steps])


def day_input(
    means: pd.DataFrame, start: datetime, end: datetime, *, interval_s: float, ramp_limit_kw: float
) -> DayInput:
    """A day out of interval means.

    The 30 minutes before are the file's own; where it has none of them, net load is held at the
    day's first value. Those after are the file's own where it goes on directly, else held at its
    last value.

    Args:
        means: by interval start (UTC), with ``net_load_kw`` and, where there are prices,
            ``price_usd_per_mwh``; native, not metered.
        start, end: bounds of the local day, aware.
        interval_s: length of an interval.
        ramp_limit_kw: 30-minute change above which the penalty starts.

    Raises:
        AccountsError: if the day has no net load at all.
    """
    step, steps = timedelta(seconds=interval_s), ramp_steps(interval_s) or 0
    times = pd.date_range(start, end, freq=step, inclusive="left").tz_convert("UTC")
    native = _column(means, "net_load_kw", times)
    known = native[~np.isnan(native)]
    if not len(known):
        raise AccountsError(f"net_load_kw: none between {start} and {end}; choose another day")
    before = _column(
        means, "net_load_kw", pd.DatetimeIndex([times[0] - k * step for k in range(steps, 0, -1)])
    )
    after_times = pd.DatetimeIndex([times[-1] + k * step for k in range(1, steps + 1)])
    follows = after_times[:1].isin(means.index).any()
    return DayInput(
        interval_s=interval_s,
        native_kw=native,
        before_kw=np.full(steps, known[0]) if np.isnan(before).all() else before,
        after_kw=_column(means, "net_load_kw", after_times) if follows else np.full(steps, known[-1]),
        price_usd_per_mwh=_column(means, "price_usd_per_mwh", times),
        ramp_limit_kw=ramp_limit_kw,
    )


def _column(means: pd.DataFrame, name: str, times: pd.DatetimeIndex) -> Array:
    if name not in means:
        return np.full(len(times), np.nan)
    return means[name].reindex(times).to_numpy(dtype=np.float64)


@dataclass(frozen=True, slots=True)
class RunAccounts:
    """What one run of a day cost, in USD.

    Attributes:
        ramp_penalty_usd: on metered net load.
        energy_profit_usd: battery and peaker energy at its price, minus wear, fuel, starts, settlement.
        battery_cycles: equivalent full cycles.
    """

    ramp_penalty_usd: float
    energy_profit_usd: float
    battery_cycles: float = 0.0

    @property
    def cost_usd(self) -> float:
        """Penalty less profit."""
        return self.ramp_penalty_usd - self.energy_profit_usd


def settle_no_action(day: DayInput) -> RunAccounts:
    """The run in which nobody dispatches anything."""
    return RunAccounts(_penalty_usd(day, np.zeros(len(day.native_kw))), 0.0)


def settle_run(
    day: DayInput, battery_kw: ArrayLike, peaker_kw: ArrayLike, battery: BatterySpec, peaker: PeakerSpec
) -> RunAccounts:
    """What a schedule costs.

    Args:
        day: the day.
        battery_kw: mean metered power of every interval, positive discharges.
        peaker_kw: mean metered power of every interval, 0 when off.
        battery, peaker: efficiency, wear, fuel and start costs; the battery starts the day at its
            initial SoC, both assets stood still before it and do so after it.

    Raises:
        AccountsError: on a power that is missing, or of another number of intervals.
    """
    power, gas = _powers(day, "battery_kw", battery_kw), _powers(day, "peaker_kw", peaker_kw)
    eta = battery.one_way_efficiency
    discharged_kwh, charged_kwh = np.maximum(power, 0) * day.hours, np.maximum(-power, 0) * day.hours
    missing_kwh = max(0.0, float(discharged_kwh.sum() / eta - charged_kwh.sum() * eta))
    starts = int(np.sum((gas > _OFF_KW) & (np.concatenate(([0.0], gas[:-1])) <= _OFF_KW)))
    profit = (
        float(np.nansum((power + gas) * day.hours * day.price_usd_per_mwh)) / KW_PER_MW
        - float(discharged_kwh.sum()) * battery.wear_usd_per_mwh / KW_PER_MW
        - float(gas.sum()) * day.hours * peaker.running_usd_per_mwh / KW_PER_MW
        - starts * peaker.start_usd
        - missing_kwh / eta * max(0.0, day.mean_price_usd_per_mwh) / KW_PER_MW
    )
    cycles = float(discharged_kwh.sum()) / eta / battery.energy_kwh
    return RunAccounts(_penalty_usd(day, power + gas), profit, cycles)


def _powers(day: DayInput, name: str, values: ArrayLike) -> Array:
    powers = np.asarray(values, dtype=np.float64)
    if powers.shape != day.native_kw.shape or not np.isfinite(powers).all():
        raise AccountsError(
            f"{name}: shape {powers.shape}; give a finite power for each of {len(day.native_kw)} intervals"
        )
    return powers


def _penalty_usd(day: DayInput, injected_kw: Array) -> float:
    """The ramp penalty when the assets inject this; they stand still before and after the day."""
    steps = ramp_steps(day.interval_s)
    if steps is None:
        return 0.0
    still = np.zeros(steps)
    line = np.concatenate((still, injected_kw, still))
    excess = np.abs(day.native_changes_kw() - (line[steps:] - line[:-steps])) - day.ramp_limit_kw
    return float(np.nansum(np.maximum(0.0, excess))) * day.hours * RAMP_PENALTY_USD_PER_KWH


@dataclass(frozen=True, slots=True)
class DayAccounts:
    """The three runs of one day.

    Attributes:
        no_action, ours, perfect: perfect foresight's penalty and profit are of its best schedule.
        perfect_bound_usd: the proven lower bound of perfect foresight's cost, which counts as its cost.
    """

    no_action: RunAccounts
    ours: RunAccounts
    perfect: RunAccounts
    perfect_bound_usd: float

    def __post_init__(self) -> None:
        slack = 1e-6 * max(1.0, abs(self.perfect_bound_usd), abs(self.ours.cost_usd))
        if self.ours.cost_usd < self.perfect_bound_usd - slack:
            raise AccountsError(
                f"cost {self.ours.cost_usd:.4f} USD is below perfect foresight's bound "
                f"{self.perfect_bound_usd:.4f}: the run broke a limit, or its accounts are wrong"
            )

    @property
    def value_capture(self) -> float | None:
        """Share of what perfect foresight gains over no action; None where it gains nothing."""
        return value_capture([self])

    @property
    def ramp_relief(self) -> float | None:
        """Share of the penalty without action that was avoided; None without any."""
        return ramp_relief([self])

    @property
    def trade_share(self) -> float | None:
        """Energy profit over that of perfect foresight; None where that has none."""
        return trade_share([self])


def value_capture(days: Sequence[DayAccounts]) -> float | None:
    """Σ(no action − ours) / Σ(no action − perfect foresight); None where the latter is not positive."""
    gain = sum(day.no_action.cost_usd - day.ours.cost_usd for day in days)
    return _ratio(gain, sum(day.no_action.cost_usd - day.perfect_bound_usd for day in days))


def ramp_relief(days: Sequence[DayAccounts]) -> float | None:
    """1 − Σ penalty / Σ penalty without action; None without any penalty."""
    without = sum(day.no_action.ramp_penalty_usd for day in days)
    return _ratio(without - sum(day.ours.ramp_penalty_usd for day in days), without)


def trade_share(days: Sequence[DayAccounts]) -> float | None:
    """Σ energy profit / Σ that of perfect foresight's schedule; None where that is not positive."""
    ours = sum(day.ours.energy_profit_usd for day in days)
    return _ratio(ours, sum(day.perfect.energy_profit_usd for day in days))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 1e-9 else None
