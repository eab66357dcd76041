"""What a dispatch may cost, before any income: wear, fuel, a start, energy bought."""

import math

from grid.units import cost_usd, energy_kwh
from policies.limits import PlantLimits
from policies.proposal import AssetName
from policies.verdict import GuardrailState


def dispatch_cost_usd(
    asset: AssetName, power_kw: float, duration_s: float, state: GuardrailState, limits: PlantLimits
) -> float:
    """The gross cost of holding ``power_kw`` for ``duration_s``, as far as the battery's energy reaches.

    A missing price counts as the limits' fallback price, a negative one as zero.
    """
    if asset == "peaker":
        running = cost_usd(energy_kwh(power_kw, duration_s), limits.peaker.running_usd_per_mwh)
        starts = power_kw > 0 and not state.peaker.on
        return running + (limits.peaker.start_usd if starts else 0.0)
    low_kw, high_kw = state.battery.power_range_kw(limits.battery, duration_s)
    held_kwh = energy_kwh(min(max(power_kw, low_kw), high_kw), duration_s)
    if held_kwh >= 0:
        return cost_usd(held_kwh, limits.battery.wear_usd_per_mwh)
    return cost_usd(-held_kwh, charging_price_usd_per_mwh(state.price_usd_per_mwh, limits))


def charging_price_usd_per_mwh(price_usd_per_mwh: float | None, limits: PlantLimits) -> float:
    """The price that charging is taken to cost; never negative, and never zero for a missing one."""
    if price_usd_per_mwh is None or not math.isfinite(price_usd_per_mwh):
        return limits.fallback_price_usd_per_mwh
    return max(0.0, price_usd_per_mwh)
