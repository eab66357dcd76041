"""One pulse of telemetry from a site's meter."""

from dataclasses import dataclass
from datetime import datetime

from grid.units import require_utc

AREA_SITE = "area"
"""The interconnection's meter: its net load feels every dispatch."""
NATIVE_SITE = "area-native"
"""The same area gross of our own assets: native = metered net load + battery + peaker power."""


def net_load_of(load_kw: float | None, solar_kw: float | None, wind_kw: float | None) -> float | None:
    """Net load in kW from its parts; a missing part leaves it missing, never zero."""
    if load_kw is None or solar_kw is None or wind_kw is None:
        return None
    return load_kw - solar_kw - wind_kw


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What one site measured over the interval that starts at ``ts_utc``.

    Powers in kW with the signs of :mod:`grid.units`; prices per MWh in the site's currency;
    ``None`` is missing and stays missing.

    Raises:
        UnitsError: on a naive ``ts_utc``.
    """

    site: str
    ts_utc: datetime
    load_kw: float | None = None
    solar_kw: float | None = None
    wind_kw: float | None = None
    net_load_kw: float | None = None
    price_usd_per_mwh: float | None = None
    da_price_usd_per_mwh: float | None = None
    frequency_hz: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ts_utc", require_utc(self.ts_utc, "ts_utc"))
