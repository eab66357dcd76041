"""Units and the sign convention. This is the only place that states it.

Power at an **asset** is positive when it injects into the grid:

| asset or meter          | positive          | negative         |
|-------------------------|-------------------|------------------|
| battery                 | discharges        | charges          |
| gas peaker              | generates         | never            |
| solar, wind             | generates         | own consumption  |
| load                    | consumes          | never            |
| net load (a site meter) | site imports      | site exports     |

``net load = load - solar - wind``; a dispatch changes what the meter reads by
``metered net load = native net load - battery power - peaker power``.

Names carry units: ``_kw``, ``_kwh``, ``_usd_per_mwh``, ``_s``, ``_pct``.
"""

from datetime import UTC, datetime

KW_PER_MW = 1000.0
KW_PER_W = 0.001
SECONDS_PER_HOUR = 3600.0
RAMP_WINDOW_S = 1800
"""The horizon of ramps, penalties and the headline forecast: 30 minutes."""


class UnitsError(ValueError):
    """A quantity came in a form that cannot be used; the message names it and the fix."""


def energy_kwh(power_kw: float, duration_s: float) -> float:
    """Energy of a constant power (kW) held for ``duration_s`` seconds, in kWh."""
    return power_kw * duration_s / SECONDS_PER_HOUR


def cost_usd(energy_kwh_: float, price_usd_per_mwh: float) -> float:
    """Value in USD of an energy (kWh) at a price per MWh."""
    return energy_kwh_ * price_usd_per_mwh / KW_PER_MW


def metered_net_load_kw(native_kw: float, battery_kw: float, peaker_kw: float) -> float:
    """What the interconnection meter reads: native net load less what the assets inject, in kW."""
    return native_kw - battery_kw - peaker_kw


def require_utc(value: datetime, field: str) -> datetime:
    """Return ``value`` in UTC.

    Raises:
        UnitsError: if ``value`` is naive.
    """
    if value.tzinfo is None:
        raise UnitsError(f"{field}: {value.isoformat()} has no time zone; give an offset such as 'Z'")
    return value.astimezone(UTC)
