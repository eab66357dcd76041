"""What changes during a rehearsal: measurements so far, the assets' state, live claims, approvals."""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from grid.accounts import ramp_steps
from grid.assets import BatteryState, PeakerState
from grid.units import cost_usd
from policies.arbiter import Claim
from policies.costs import charging_price_usd_per_mwh
from policies.limits import PlantLimits
from policies.principal import RESPONSE
from policies.proposal import AssetName, Proposal
from policies.verdict import GuardrailState, Verdict
from policies.view import GridView, PeakerStart

CALM_S = 600.0
"""An instability event ends after that long below the limit."""
CRITICAL_FACTOR = 2.0
EVENT_ID = "rehearsed"

Key = tuple[str, str]
"""Requester and asset."""


@dataclass
class RehearsedRun:
    """The state between two intervals of a rehearsal.

    Attributes:
        now: start of the coming interval.
        state: as the guardrails see it.
        native_kw, metered_kw: interval means so far, oldest first; None where missing.
        peaker_start: what the response policy may assume of a start.
        approved: who may carry out what at the next border.
    """

    now: datetime
    state: GuardrailState
    native_kw: list[float | None]
    metered_kw: list[float | None]
    peaker_start: PeakerStart
    approved: set[Key]
    event_id: str | None
    _calm_s: float
    _critical: bool
    _claims: dict[Key, Claim] = field(default_factory=dict)
    _accepted: list[tuple[str, datetime]] = field(default_factory=list)

    @classmethod
    def of(cls, view: GridView, state: GuardrailState) -> "RehearsedRun":
        """As it stands now."""
        return cls(
            now=view.now,
            state=state,
            native_kw=list(view.native_kw),
            metered_kw=list(view.metered_kw),
            peaker_start=view.peaker_start,
            approved={(RESPONSE.subject, "peaker")} if view.peaker_start == "approved" else set(),
            event_id=view.event_id,
            _calm_s=math.inf if view.event_id is None else 0.0,
            _critical=state.emergency,
        )

    def measured(self, native_kw: float, metered_kw: float, interval_s: float, ramp_limit_kw: float) -> None:
        """Take in what an interval brought; an instability event begins, goes on or ends."""
        self.native_kw.append(native_kw)
        self.metered_kw.append(metered_kw)
        change_kw = self._change_kw(interval_s)
        if abs(change_kw) > ramp_limit_kw:
            self._calm_s, self.event_id = 0.0, self.event_id or EVENT_ID
            self._critical = self._critical or abs(change_kw) >= CRITICAL_FACTOR * ramp_limit_kw
            return
        self._calm_s += interval_s
        if self._calm_s >= CALM_S:
            self.event_id, self._critical = None, False

    def _change_kw(self, interval_s: float) -> float:
        """The newest 30-minute change at the meter; 0 where an end is missing."""
        window = ramp_steps(interval_s)
        if window is None or len(self.metered_kw) <= window:
            return 0.0
        now, before = self.metered_kw[-1], self.metered_kw[-1 - window]
        return 0.0 if now is None or before is None else now - before

    def known_state(self, price_usd_per_mwh: float | None) -> GuardrailState:
        """What the guardrails look at before the next interval."""
        return replace(self.state, price_usd_per_mwh=price_usd_per_mwh, emergency=self._critical)

    def accepted_last_hour(self, requester: str) -> int:
        """Proposals of a requester that the rehearsal accepted within the last hour."""
        since = self.now - timedelta(hours=1)
        return sum(who == requester and at > since for who, at in self._accepted)

    def accept(self, proposal: Proposal, verdict: Verdict) -> None:
        """Let a proposal live from now on; it replaces the requester's older one on the asset."""
        low_kw, high_kw = proposal.bounds_kw
        self._accepted.append((proposal.requester, self.now))
        self._claims[proposal.requester, proposal.asset] = Claim(
            proposal_id=len(self._accepted),
            requester=proposal.requester,
            priority=proposal.priority,
            power_kw=verdict.power_kw,
            lower_kw=min(low_kw, verdict.power_kw),
            upper_kw=max(high_kw, verdict.power_kw),
            starts_at=self.now,
            ends_at=self.now + timedelta(seconds=proposal.duration_s),
        )

    def wait(self, key: Key, *, approves: bool) -> None:
        """A request waits for a person, who agrees before the next border or never answers."""
        if approves:
            self.approved.add(key)
        if key[1] == "peaker":
            self.peaker_start = "approved" if approves else "pending"

    def take_approved(self) -> set[Key]:
        """What was approved since the last border: used now, or never."""
        approved, self.approved = self.approved, set()
        if self.peaker_start == "approved":
            self.peaker_start = "none"
        return approved

    def claims(self, asset: AssetName) -> list[Claim]:
        """The newest accepted proposal of each requester on an asset."""
        return [claim for (_, of), claim in self._claims.items() if of == asset]


def booked(
    state: GuardrailState, battery: BatteryState, peaker: PeakerState, limits: PlantLimits
) -> GuardrailState:
    """The state after an interval, with what it adds to the day's counters."""
    was = state.battery
    starts = peaker.starts - state.peaker.starts
    price = charging_price_usd_per_mwh(state.price_usd_per_mwh, limits)
    spent = (
        cost_usd(battery.charged_kwh - was.charged_kwh, price)
        + cost_usd(battery.discharged_kwh - was.discharged_kwh, limits.battery.wear_usd_per_mwh)
        + cost_usd(peaker.generated_kwh - state.peaker.generated_kwh, limits.peaker.running_usd_per_mwh)
        + starts * limits.peaker.start_usd
    )
    return replace(
        state,
        battery=battery,
        peaker=peaker,
        battery_discharged_today_kwh=state.battery_discharged_today_kwh
        + battery.cell_discharged_kwh
        - was.cell_discharged_kwh,
        peaker_starts_today=state.peaker_starts_today + starts,
        spent_today_usd=state.spent_today_usd + spent,
    )
