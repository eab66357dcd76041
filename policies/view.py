"""What a policy may know when it decides, at the border before an interval begins."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from grid.assets import BatterySpec, PeakerSpec

PeakerStart = Literal["none", "pending", "approved"]


@dataclass(frozen=True, slots=True)
class ForecastView:
    """The newest forecast of the native net load's 30-minute change, in kW."""

    issued_at: datetime
    p10_kw: float
    p50_kw: float
    p90_kw: float


@dataclass(frozen=True, slots=True)
class GridView:
    """The state at one decision; nothing in it was unknown at that moment.

    Attributes:
        now: start of the interval that the decision acts on.
        interval_s: its length.
        native_kw: interval means of the native net load over the last 30 minutes and the newest
            one, oldest first; None where missing.
        metered_kw: the same for the meter, which feels our dispatches.
        forecast: None when there is none that is fresh.
        event_id: the open instability event, if any.
        soc_kwh, battery_kw, cycles_today: the battery now.
        peaker_kw, peaker_on, peaker_in_state_s, peaker_starts_today: the peaker now.
        price_usd_per_mwh: real-time price of the coming interval; None when missing.
        prices_ahead: known day-ahead prices as (interval start, price), from ``now`` on.
        ramp_limit_kw: change in 30 minutes above which the penalty starts.
        day_end: when the local day ends, and with it the accounts: stored energy is settled and both
            assets stand still after it; None plans 12 hours without an end.
        outlook_kw: expected native net load of the newest interval (the one that ends at ``now``) and of
            the coming ones, one each, from what is typical of the time of day and from day-ahead
            prices; only its shape near ``now`` counts. May end early or be empty.
        outlook_sigma_kw: standard deviation of the 30-minute change that ends in each coming interval, where
            the outlook starts from what was measured; empty where it does not.
        expected_usd_per_mwh: expected real-time price of each coming interval, from ``now`` on; None where
            it is not known. May end early or be empty: then the plan makes its own from day-ahead prices.
        settlement_price_usd_per_mwh: the day's expected mean real-time price (known ones so far,
            day-ahead ones from there on), at which missing energy is bought back; None when unknown.
        peaker_start: whether a start has been asked for, and if so whether it may be carried out.
    """

    now: datetime
    interval_s: float
    native_kw: tuple[float | None, ...]
    metered_kw: tuple[float | None, ...]
    forecast: ForecastView | None
    event_id: str | None
    battery: BatterySpec
    soc_kwh: float
    battery_kw: float
    cycles_today: float
    peaker: PeakerSpec
    peaker_kw: float
    peaker_on: bool
    peaker_in_state_s: float
    peaker_starts_today: int
    price_usd_per_mwh: float | None
    prices_ahead: tuple[tuple[datetime, float], ...]
    ramp_limit_kw: float
    day_end: datetime | None = None
    outlook_kw: tuple[float | None, ...] = ()
    outlook_sigma_kw: tuple[float, ...] = ()
    expected_usd_per_mwh: tuple[float | None, ...] = ()
    settlement_price_usd_per_mwh: float | None = None
    peaker_start: PeakerStart = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy wants of one asset for the coming interval(s).

    Attributes:
        asset: ``battery`` or ``peaker``.
        power_kw: wanted power, positive injects.
        lower_kw, upper_kw: the range left to loops of lower priority.
        duration_s: how long it should hold.
        reason: one sentence for people, with the figures that decided.
        expected_gain_usd: what it should earn or save; None where it was not computed.
    """

    asset: str
    power_kw: float
    lower_kw: float
    upper_kw: float
    duration_s: float
    reason: str
    expected_gain_usd: float | None = None
