"""What the assets did and what it was worth, span by span: dispatches and trades.

A span lasts while an asset's setpoint and the price hold, so it never reaches over the border of a
market interval. Site, asset and start are its identity.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AssetDispatch:
    """What an asset did over a span, and on whose behalf.

    Attributes:
        site: the meter that the asset stands behind.
        asset: ``battery`` or ``peaker``.
        start: the span's start.
        duration_s: its length in s.
        power_kw: mean power at the asset's meter, positive injects (:mod:`grid.units`).
        setpoint_kw: what the asset was asked to do; ramps and limits make the difference.
        dispatch_id: number of the dispatch in the ledger; None before a process has made its first.
        proposal_id: number of the proposal that set it; None where nobody did, and it stood safe.
        requester: who made that proposal.
        event_id: the instability event that it answers, if any.
    """

    site: str
    asset: str
    start: datetime
    duration_s: float
    power_kw: float
    setpoint_kw: float
    dispatch_id: str | None = None
    proposal_id: str | None = None
    requester: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class EnergyTrade:
    """What an asset sold or bought over a span, settled at the interval's real-time price.

    Wear, fuel and starts are not in it.

    Attributes:
        site: the meter where it was settled.
        asset: ``battery`` or ``peaker``.
        start: the span's start.
        duration_s: its length in s.
        energy_kwh: at the asset's meter; positive was sold, negative bought.
        price_usd_per_mwh: per MWh in the site's currency; None is missing.
        value_usd: what it brought in, negative was paid; None where the price is missing.
    """

    site: str
    asset: str
    start: datetime
    duration_s: float
    energy_kwh: float
    price_usd_per_mwh: float | None
    value_usd: float | None
