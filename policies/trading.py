"""The trading policy: move the battery along the rolling plan, an interval at a time.

The plan (:mod:`policies.plan`) weighs the real-time price of the coming interval, which is known,
against day-ahead prices, losses, wear, the day's cycles and its settlement, and prepares for ramps as far
as that pays. Without a price of the coming interval there is no trade.
"""

from policies.asset_ranges import battery_range_kw, peaker_range_kw
from policies.horizon import outlook_of
from policies.plan import make_plan
from policies.view import Decision, GridView

LEAST_SHARE = 1e-3
"""Less than this share of the rated power is no trade."""


def decide(view: GridView) -> Decision | None:
    """The battery's power for the coming interval; None without a price of it.

    Returns:
        a decision for one interval, also when it is to stand still: it then says why.
    """
    price = view.price_usd_per_mwh
    if price is None:
        return None
    outlook = outlook_of(view)
    plan = make_plan(view, outlook, *peaker_range_kw(view, outlook.grid))
    low_kw, high_kw = battery_range_kw(view)
    power_kw = min(max(float(plan.battery_kw[0]), low_kw), high_kw)
    if abs(power_kw) < LEAST_SHARE * view.battery.power_kw:
        power_kw = 0.0
    what = "sell" if power_kw > 0 else "buy" if power_kw < 0 else "hold"
    ahead = outlook.price_usd_per_mwh
    reason = (
        f"{what} {abs(power_kw):.0f} kW at {price:.2f}: "
        f"{ahead.min():.2f} to {ahead.max():.2f} per MWh expected ahead, "
        f"{view.soc_kwh / view.battery.energy_kwh:.0%} stored"
    )
    return Decision("battery", power_kw, power_kw, power_kw, view.interval_s, reason)
