"""The arbiter: several live wishes for one asset become one setpoint.

The claim of the highest priority sets the target; the next ones move it only within the bounds that
those above leave (nested). Among equals the newer claim counts as higher. No live claim, no target:
the asset goes to its safe setpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Claim:
    """An accepted proposal, as the arbiter sees it.

    Attributes:
        proposal_id: its number in the ledger; a newer one is larger.
        requester, priority: who asks, and its rank; higher wins.
        power_kw: the wish, positive injects.
        lower_kw, upper_kw: the range left to lower priorities.
        starts_at, ends_at: alive from the first until just before the second.
        event_id: the instability event that it answers, if any.
    """

    proposal_id: int
    requester: str
    priority: int
    power_kw: float
    lower_kw: float
    upper_kw: float
    starts_at: datetime
    ends_at: datetime
    event_id: str | None = None

    def alive(self, now: datetime) -> bool:
        """Whether it counts at ``now``."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Target:
    """The merged setpoint in kW, and the claims that made it: the one that set it, then those whose
    bounds held it back."""

    power_kw: float
    sources: tuple[Claim, ...]


def merge(claims: Sequence[Claim], device_bounds: Bounds, now: datetime) -> Target | None:
    """Merge the live claims on one asset.

    Args:
        claims: of this asset, in any order; of one requester only the newest counts.
        device_bounds: lowest and highest power (kW) that the device offers now.
        now: the plant's time.

    Returns:
        the target, or None when no claim is alive.

    Invariants:
        the target lies within ``device_bounds``, and within the highest claim's bounds as far as the
        device offers them.
    """
    ranked = _ranked(claims, now)
    if not ranked:
        return None
    bounds, setter = device_bounds, ranked[0]
    target_kw = _clamp(setter.power_kw, bounds)
    for claim in ranked:
        wish_kw = _clamp(claim.power_kw, bounds)
        if wish_kw != target_kw:
            target_kw, setter = wish_kw, claim
        bounds = (_clamp(claim.lower_kw, bounds), _clamp(claim.upper_kw, bounds))
    above = ranked[: ranked.index(setter)]
    held_by = [claim for claim in above if not claim.lower_kw <= setter.power_kw <= claim.upper_kw]
    return Target(target_kw, (setter, *held_by))


def _ranked(claims: Sequence[Claim], now: datetime) -> list[Claim]:
    """Live claims, the newest of each requester, highest first."""
    newest: dict[str, Claim] = {}
    for claim in sorted(claims, key=lambda claim: claim.proposal_id):
        newest[claim.requester] = claim
    alive = [claim for claim in newest.values() if claim.alive(now)]
    return sorted(alive, key=lambda claim: (-claim.priority, -claim.proposal_id))


def _clamp(power_kw: float, bounds: Bounds) -> float:
    return min(max(power_kw, bounds[0]), bounds[1])
