"""What a tool sees beside the store: sites, assets, what waits for a person; and the desk behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from dispatch.decision_record import DecisionRecord
from dispatch.flags import Halt
from dispatch.service import DispatchOutcome
from grid.drivers import AssetReadings
from policies.principal import Principal
from policies.proposal import AssetName


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """A metered site that the tools may name.

    Attributes:
        cadence_s: nominal seconds between pulses.
        tz: IANA time zone of its local day.
        parent: the area that it belongs to.
    """

    name: str
    cadence_s: float
    tz: str = "UTC"
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class AssetsView:
    """What the assets did so far; what they can do is in the limits.

    Attributes:
        readings: what the devices last reported; None before their first report.
        cycles_today: equivalent full cycles of the battery since local midnight.
        starts_today: starts of the peaker since local midnight.
        spent_today_usd: cost of dispatches since local midnight, before any income.
    """

    readings: AssetReadings | None
    cycles_today: float
    starts_today: int
    spent_today_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A proposal that waits for, or has, a human's decision and has not been carried out.

    Attributes:
        state: ``pending``, ``approved`` or ``denied``.
        rules: the names of the guardrails that asked for it.
    """

    approval_id: str
    state: Literal["pending", "approved", "denied"]
    tool: str
    asset: str
    power_kw: float
    duration_s: float
    requester: str
    reason: str
    rules: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SupervisorView:
    """The supervisor's last sign of life.

    Attributes:
        mode: ``shadow`` where it actuates nothing.
        heartbeat_age_s: how long ago, in s of wall time.
        alarm: why its watchdog keeps the assets in their safe state; None while it does not.
    """

    mode: Literal["live", "shadow"]
    heartbeat_age_s: float
    alarm: str | None


class DeskView(Protocol):
    """What a tool sees of the dispatch desk: the state of the assets, and what waits for a person."""

    def assets(self) -> AssetsView:
        """The assets now."""
        ...

    def halted(self) -> bool:
        """Whether the autonomy is halted."""
        ...

    def supervisor(self) -> SupervisorView | None:
        """The supervisor's last sign of life; None where none has run."""
        ...

    def approvals(self) -> Sequence[PendingApproval]:
        """Requests that wait for a decision, or were decided and not yet carried out; none expired."""
        ...

    def decision(self, *, proposal_id: str | None = None, dispatch_id: str | None = None) -> DecisionRecord:
        """What is on record of a proposal, or of a dispatch; of the newest proposal where neither is named.

        Raises:
            DecisionNotFoundError: when there is no such one, naming the newest.
        """
        ...


class Desk(DeskView, Protocol):
    """The dispatch desk behind a context: the wiring gives it, and tools reach it by their context alone."""

    def halt(self, principal: Principal, reason: str) -> tuple[Halt, bool]:
        """Halt the autonomy; the halt in force, and whether it is new."""
        ...

    def propose(
        self,
        *,
        asset: AssetName,
        power_kw: float,
        duration_s: float,
        reason: str,
        lower_kw: float | None,
        upper_kw: float | None,
        event_id: str | None,
        forecast_issued_at: str | None,
        expected_effect: str,
        expected_cost_usd: float | None,
        idempotency_key: str | None,
        principal: Principal,
        tool: str,
        arguments: Mapping[str, Any],
    ) -> DispatchOutcome:
        """Judge the proposal; record it and, if nothing forbids it, let it act."""
        ...
