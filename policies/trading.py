"""The trading policy: move the battery along the rolling plan, an interval at a time.

The plan (:mod:`policies.plan`) weighs the real-time price of the coming interval, which is known,
against day-ahead prices, losses, wear, the day's cycles and its settlement, and prepares for ramps as far
as that pays: what the band asks for is kept, the rest is sold. Without a price of the coming interval there
is no trade.
"""

from policies.asset_ranges import battery_range_kw, peaker_range_kw
from policies.horizon import Outlook, outlook_of
from policies.plan import band_reserve_kw, make_plan
from policies.view import Decision, GridView

LEAST_SHARE = 1e-3
"""Less than this share of the rated power is no trade."""


def decide(view: GridView) -> Decision | None:
    """The battery's power for the coming interval; None without a price of it.

    Returns:
        a decision for one interval, also when it is to stand still: it then says why.
    """
    if view.price_usd_per_mwh is None:
        return None
    outlook = outlook_of(view)
    plan = make_plan(view, outlook, *peaker_range_kw(view, outlook.grid))
    low_kw, high_kw = battery_range_kw(view)
    power_kw = min(max(float(plan.battery_kw[0]), low_kw), high_kw)
    if abs(power_kw) < LEAST_SHARE * view.battery.power_kw:
        power_kw = 0.0
    return Decision(
        "battery", power_kw, power_kw, power_kw, view.interval_s, _reason(view, outlook, power_kw)
    )


def _reason(view: GridView, outlook: Outlook, power_kw: float) -> str:
    """What is done, at which price, and what is kept for ramps and of the day's cycles."""
    what = "sell" if power_kw > 0 else "buy" if power_kw < 0 else "hold"
    ahead = outlook.price_usd_per_mwh
    out_kw, in_kw = band_reserve_kw(view, outlook)
    left = max(0.0, view.battery.max_cycles_per_day - view.cycles_today)
    return (
        f"{what} {abs(power_kw):.0f} kW at {view.price_usd_per_mwh:.2f}: "
        f"{ahead.min():.2f} to {ahead.max():.2f} per MWh expected ahead, "
        f"{view.soc_kwh / view.battery.energy_kwh:.0%} stored, {left:.1f} cycles left; "
        f"ramps may ask for {out_kw:.0f} kW out, {in_kw:.0f} kW in within 30 minutes"
    )
