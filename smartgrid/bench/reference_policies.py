"""The simple policies that a day's accounts print beside ours; both move the battery alone.

- :func:`reactive_limiter` holds the metered 30-minute change within the limit, as measured so far.
- :func:`limiter_with_thresholds` also buys and sells beyond quartiles of the day's prices, within the
  range that the limiter leaves and with a reserve of stored energy for it.

Neither looks at a forecast.
"""

import numpy as np

from policies.asset_ranges import battery_range_kw
from policies.plan import injected_before_kw
from policies.view import Decision, GridView

RESERVE_SHARE = 0.2
"""Of the capacity, kept at either end for the limiter."""
BUY_QUANTILE, SELL_QUANTILE = 0.25, 0.75


def reactive_limiter(view: GridView) -> Decision:
    """The least power that keeps the coming interval within the limit, if net load stays where it is."""
    low_kw, high_kw = _limiter_range_kw(view)
    return _decision(view, min(max(0.0, low_kw), high_kw), "limiter")


def limiter_with_thresholds(view: GridView) -> Decision:
    """Buy below the lower quartile of the day's prices and sell above the upper one, within the limiter."""
    low_kw, high_kw = _limiter_range_kw(view)
    return _decision(view, min(max(_wish_kw(view), low_kw), high_kw), "limiter and price thresholds")


def _limiter_range_kw(view: GridView) -> tuple[float, float]:
    """The powers that keep the metered change within the limit, as far as the battery goes."""
    device = battery_range_kw(view)
    steps = len(view.native_kw) - 1
    first, newest = (view.native_kw[1], view.native_kw[-1]) if steps > 0 else (None, None)
    if first is None or newest is None:
        return device
    needed_kw = newest - first + float(injected_before_kw(view, steps)[0]) - view.peaker_kw
    safe = np.clip((needed_kw - view.ramp_limit_kw, needed_kw + view.ramp_limit_kw), *device)
    return float(safe[0]), float(safe[1])


def _wish_kw(view: GridView) -> float:
    price, spec = view.price_usd_per_mwh, view.battery
    ahead = [known for _, known in view.prices_ahead]
    if price is None or not ahead:
        return 0.0
    cheap, dear = np.quantile(ahead, (BUY_QUANTILE, SELL_QUANTILE))
    stored = view.soc_kwh / spec.energy_kwh
    if (
        price >= max(dear, cheap / spec.round_trip_efficiency + spec.wear_usd_per_mwh)
        and stored > RESERVE_SHARE
    ):
        return spec.power_kw
    if price <= cheap and stored < 1.0 - RESERVE_SHARE:
        return -spec.power_kw
    return 0.0


def _decision(view: GridView, power_kw: float, reason: str) -> Decision:
    return Decision("battery", power_kw, power_kw, power_kw, view.interval_s, reason)
