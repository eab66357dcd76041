"""The answer of the guardrails, and what they look at."""

from dataclasses import dataclass
from typing import Literal

from grid.assets import BatteryState, PeakerState

Outcome = Literal["allow", "clip", "needs_approval", "deny"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that had something to say.

    Attributes:
        rule: its name, e.g. ``battery_power``.
        quote: the limit and the value that met it, for people.
        effect: ``clip``, ``needs_approval`` or ``deny``.
        power_kw: what a clip leaves; None otherwise.
    """

    rule: str
    quote: str
    effect: Outcome
    power_kw: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """May it act, with how much power (kW), and which rules said so."""

    outcome: Outcome
    power_kw: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class GuardrailState:
    """What the guardrails look at, at one moment.

    Attributes:
        interval_s: length of the coming interval, for which SoC and cycles bound the power.
        battery, peaker: as the plant's owner last reported them.
        battery_discharged_today_kwh: energy taken from the cells since local midnight.
        peaker_starts_today: since local midnight.
        spent_today_usd: cost of dispatches since local midnight, before any income.
        actions_last_hour: proposals of this requester accepted in the last hour.
        telemetry_age_s: age of the newest pulse; None when there is none.
        trust: 0 (false data suspected) to 1.
        halted: whether the autonomy is halted.
        emergency: whether the area is in an emergency.
        price_usd_per_mwh: real-time price; None when missing.
    """

    interval_s: float
    battery: BatteryState
    peaker: PeakerState
    battery_discharged_today_kwh: float = 0.0
    peaker_starts_today: int = 0
    spent_today_usd: float = 0.0
    actions_last_hour: int = 0
    telemetry_age_s: float | None = None
    trust: float = 1.0
    halted: bool = False
    emergency: bool = False
    price_usd_per_mwh: float | None = None
