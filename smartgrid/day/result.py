"""What one day left behind: series per interval, accounts, dispatches, events."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from grid.accounts import DayAccounts
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DispatchRecord:
    """One proposal that the chain answered, in the words of the ledger."""

    at: datetime
    requester: str
    asset: str
    power_kw: float
    duration_s: float
    status: str
    reason: str
    event_id: str | None
    rules: tuple[str, ...]


@dataclass(frozen=True)
class ApprovalRecord:
    """One approval: who asked, who decided, and when (plant time)."""

    requested_at: datetime
    decided_at: datetime | None
    requester: str
    approver: str | None
    state: str
    reason: str


@dataclass(frozen=True)
class DaySeries:
    """Interval means over the day; powers in kW, prices per MWh, missing is NaN.

    Attributes:
        times: interval starts (UTC).
        p10_kw, p50_kw, p90_kw: level forecast *for* each interval, made 30 minutes before.
    """

    times: tuple[datetime, ...]
    native_kw: FloatArray
    metered_kw: FloatArray
    battery_kw: FloatArray
    peaker_kw: FloatArray
    soc_kwh: FloatArray
    price_usd_per_mwh: FloatArray
    da_price_usd_per_mwh: FloatArray
    p10_kw: FloatArray
    p50_kw: FloatArray
    p90_kw: FloatArray


@dataclass(frozen=True)
class DayResult:
    """A whole day: what was known, what was done, what it cost.

    Attributes:
        name: e.g. ``seed 1000`` or ``2019-06-07``.
        accounts: the three runs' costs on the same series.
        violations: guardrail violations found by re-reading the ledger and the metered series.
        operator: ``simulated`` or ``none``.
    """

    name: str
    tz: str
    source: str
    seed: int | None
    currency: str
    price_source: str
    price_seed: int
    cadence_s: float
    interval_s: float
    battery_energy_kwh: float
    battery_cycles: float
    ramp_limit_kw: float
    series: DaySeries
    accounts: DayAccounts
    last_forecast: Forecast | None
    dispatches: tuple[DispatchRecord, ...]
    approvals: tuple[ApprovalRecord, ...]
    events: tuple[InstabilityEvent, ...]
    violations: tuple[str, ...]
    pulses: int
    operator: str
    notes: tuple[str, ...] = ()
