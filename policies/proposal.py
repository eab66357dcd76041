"""A proposal: what somebody wants an asset to do, for how long, and why."""

from dataclasses import dataclass
from typing import Literal

AssetName = Literal["battery", "peaker"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A wish to hold an asset at a power.

    Attributes:
        asset: ``battery`` or ``peaker``.
        power_kw: wanted power, positive injects (see :mod:`grid.units`).
        duration_s: how long, counted from when it is accepted (or its approval consumed).
        reason: one sentence for people.
        requester: the connection's principal subject, priority beside it.
        idempotency_key: the same key never acts twice; bound to the effect.
        lower_kw, upper_kw: bounds left to proposals of lower priority; None leaves none,
            i.e. both equal ``power_kw``.
        event_id: the instability event that it answers, if any.
        forecast_issued_at: ISO time of the forecast that it rests on, if any.
        expected_effect: what it should do, in words.
        expected_cost_usd: cost that the proposer expects; negative is a gain; None is unknown.
    """

    asset: AssetName
    power_kw: float
    duration_s: float
    reason: str
    requester: str
    priority: int
    idempotency_key: str
    lower_kw: float | None = None
    upper_kw: float | None = None
    event_id: str | None = None
    forecast_issued_at: str | None = None
    expected_effect: str = ""
    expected_cost_usd: float | None = None

    @property
    def bounds_kw(self) -> tuple[float, float]:
        """The range left to lower priorities."""
        low = self.power_kw if self.lower_kw is None else self.lower_kw
        high = self.power_kw if self.upper_kw is None else self.upper_kw
        return low, high
