"""What a tick did and why: for the report, the log and the tests."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Outcome = Literal["acted", "idle", "blocked", "shadowed"]
ActionStatus = Literal[
    "accepted", "pending_approval", "denied", "waiting", "withdrawn", "expired", "refused", "shadow"
]


@dataclass(frozen=True, slots=True)
class Action:
    """One wish of a loop for one asset, and what became of it.

    Attributes:
        asset: ``battery`` or ``peaker``.
        power_kw: wanted power, positive injects.
        reason: why, with the figures that decided.
        status: ``accepted``, ``pending_approval`` and ``denied`` are the server's words; ``waiting``: an
            operator has still to decide, or has denied it a short while ago; ``withdrawn``: no longer
            wanted when it was approved; ``expired``: nobody decided in time; ``refused``: the call
            itself failed; ``shadow``: what it would have asked for, in shadow mode.
        detail: what the server answered, in words.
        proposal_id, approval_id: where the ledger keeps it.
        expected_gain_usd: what the policy expects; None where it did not compute it.
    """

    asset: str
    power_kw: float
    reason: str
    status: ActionStatus
    detail: str = ""
    proposal_id: str | None = None
    approval_id: str | None = None
    expected_gain_usd: float | None = None


@dataclass(frozen=True, slots=True)
class LoopResult:
    """One loop's tick.

    Attributes:
        loop: its name.
        interval_start: the interval that it acted on; None when not even the status could be read.
        outcome: ``acted`` when the server took a proposal, ``blocked`` when it must not act, ``shadowed``
            when it only says what it would have done.
        reason: why it was blocked; empty otherwise.
        actions: one for each wish.
    """

    loop: str
    interval_start: datetime | None
    outcome: Outcome
    reason: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class TickResult:
    """What the loops did in one tick, in the order in which they ran."""

    loops: tuple[LoopResult, ...]
