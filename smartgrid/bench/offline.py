"""Plays a battery policy over one day, interval by interval, without the chain around it.

The order of knowledge is the chain's: at the border before an interval its real-time price and the
day's day-ahead prices are known, and net load up to the interval that just ended. This is how the
references beside ``bench day`` are made; our own figures come from the whole chain.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from grid.accounts import Array, DayInput, RunAccounts, settle_run
from grid.assets import BatterySpec, BatteryState, PeakerSpec
from policies.asset_ranges import battery_range_kw
from policies.view import Decision, GridView

BatteryPolicy = Callable[[GridView], Decision]


def run_battery_policy(
    day: DayInput,
    policy: BatteryPolicy,
    *,
    start: datetime,
    da_price_usd_per_mwh: Sequence[float],
    battery: BatterySpec,
    peaker: PeakerSpec,
) -> RunAccounts:
    """What a day costs when this policy alone moves the battery; the peaker stays off.

    Args:
        day: the day.
        policy: asked once before every interval.
        start: its first interval's start, aware.
        da_price_usd_per_mwh: of every interval of the day; NaN is missing.
        battery, peaker: the assets.
    """
    steps = len(day.before_kw)
    native_kw = np.concatenate((day.before_kw[:1], day.before_kw, day.native_kw))
    injected_kw = np.zeros(len(native_kw))
    state, first = battery.initial_state(), len(native_kw) - len(day.native_kw)
    for k in range(len(day.native_kw)):
        past = slice(first + k - steps - 1, first + k)
        known = (native_kw[past], native_kw[past] - injected_kw[past])
        now = start + k * timedelta(seconds=day.interval_s)
        ahead = [
            (now + j * timedelta(seconds=day.interval_s), price)
            for j, price in enumerate(da_price_usd_per_mwh[k:])
            if not math.isnan(price)
        ]
        seen = _Seen(now, *known, day.price_usd_per_mwh[k], tuple(ahead))
        view = _view(day, seen, state, battery, peaker)
        low_kw, high_kw = battery_range_kw(view)
        state = state.step(battery, min(max(policy(view).power_kw, low_kw), high_kw), day.interval_s)
        injected_kw[first + k] = state.power_kw
    return settle_run(day, injected_kw[first:], np.zeros(len(day.native_kw)), battery, peaker)


@dataclass(frozen=True)
class _Seen:
    """What is known at the border before an interval; powers in kW, the newest last."""

    now: datetime
    native_kw: Array
    metered_kw: Array
    price_usd_per_mwh: float
    prices_ahead: tuple[tuple[datetime, float], ...]


def _view(
    day: DayInput, seen: _Seen, state: BatteryState, battery: BatterySpec, peaker: PeakerSpec
) -> GridView:
    return GridView(
        now=seen.now,
        interval_s=day.interval_s,
        native_kw=tuple(_known(value) for value in seen.native_kw),
        metered_kw=tuple(_known(value) for value in seen.metered_kw),
        forecast=None,
        event_id=None,
        battery=battery,
        soc_kwh=state.soc_kwh,
        battery_kw=state.power_kw,
        cycles_today=state.cycles(battery),
        peaker=peaker,
        peaker_kw=0.0,
        peaker_on=False,
        peaker_in_state_s=math.inf,
        peaker_starts_today=0,
        price_usd_per_mwh=_known(seen.price_usd_per_mwh),
        prices_ahead=seen.prices_ahead,
        ramp_limit_kw=day.ramp_limit_kw,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
